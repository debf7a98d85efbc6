"""Runs the steps of a suite in order and counts; shared by the Python suites."""

import asyncio
import inspect
import os
import sys
import time
import traceback
import uuid

GRPC = os.environ["CLIENT_SUITE_GRPC"]
REST = os.environ["CLIENT_SUITE_REST"]
MODELS = os.environ["CLIENT_SUITE_MODELS"]
USER = os.environ.get("CLIENT_SUITE_USER")
ISSUER = os.environ.get("CLIENT_SUITE_ISSUER")
# How the official client proves who it is.
AUTH = (
    {
        "CAMUNDA_AUTH_STRATEGY": "OAUTH",
        "CAMUNDA_OAUTH_URL": f"{ISSUER}/token",
        "CAMUNDA_CLIENT_ID": os.environ["CLIENT_SUITE_CLIENT"],
        "CAMUNDA_CLIENT_SECRET": os.environ["CLIENT_SUITE_SECRET"],
        "CAMUNDA_TOKEN_AUDIENCE": os.environ["CLIENT_SUITE_AUDIENCE"],
    }
    if ISSUER
    else {
        "CAMUNDA_AUTH_STRATEGY": "BASIC",
        "CAMUNDA_BASIC_AUTH_USERNAME": USER,
        "CAMUNDA_BASIC_AUTH_PASSWORD": os.environ.get("CLIENT_SUITE_PASSWORD", ""),
    }
    if USER
    else {"CAMUNDA_AUTH_STRATEGY": "NONE"}
)


def job_type():
    """A type of this step alone: no worker of an earlier step can take its jobs."""
    return f"charge-{uuid.uuid4()}"


def model(name):
    return os.path.join(MODELS, name)


def eventually(question, what, seconds=20.0):
    """Asks until the answer is true: searches lag behind commands."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            answer = question()
        except Exception as error:  # a get answers 404 until the row is there
            answer, what = None, f"{what} (last error: {error})"[:400]
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def run(suite, steps):
    """Runs each step; a step may be a coroutine function. Ends the process with the outcome."""

    async def all_steps():
        passed = failed = 0
        for step in steps:
            try:
                outcome = step()
                if inspect.isawaitable(outcome):
                    await asyncio.wait_for(outcome, 60)
                print(f"ok {suite}: {step.__name__}", flush=True)
                passed += 1
            except BaseException:
                print(f"FAILED {suite}: {step.__name__}", flush=True)
                traceback.print_exc()
                failed += 1
        return passed, failed

    passed, failed = asyncio.run(all_steps())
    print(f"{suite}: {passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)
