"""pyzeebe over gRPC: deploy, start, work by polling and by stream, fail, throw, publish, cancel."""

import asyncio
import contextlib
import uuid

from pyzeebe import Job, ZeebeClient, ZeebeWorker, create_insecure_channel
from pyzeebe.errors import (
    BusinessError,
    MessageAlreadyExistsError,
    ProcessDefinitionNotFoundError,
    ProcessInstanceNotFoundError,
    ProcessInvalidError,
)

import steps


def client():
    return ZeebeClient(create_insecure_channel(grpc_address=steps.GRPC))


@contextlib.asynccontextmanager
async def worker(job_type, stream, handler):
    """A worker that runs while the block runs."""
    worker = ZeebeWorker(
        create_insecure_channel(grpc_address=steps.GRPC),
        stream_enabled=stream,
        request_timeout=1000,
    )
    worker.task(task_type=job_type, timeout_ms=10_000, max_jobs_to_activate=8)(handler)
    task = asyncio.create_task(worker.work())
    try:
        yield
    finally:
        await worker.stop()
        task.cancel()
        with contextlib.suppress(BaseException):
            await task


async def topology():
    answer = await client().topology()
    assert answer.partitions_count >= 1 and answer.brokers, answer
    assert answer.gateway_version.startswith("8."), answer.gateway_version


async def health():
    await client().healthcheck()


async def deploy():
    first = await client().deploy_resource(steps.model("order.bpmn"), steps.model("approve.bpmn"))
    assert {d.bpmn_process_id for d in first.deployments} == {"order", "approve"}, first
    again = await client().deploy_resource(steps.model("order.bpmn"))
    assert again.deployments[0].version == first.deployments[0].version, again


async def invalid_models_are_refused():
    try:
        await client().deploy_resource(__file__.replace("pyzeebe_suite.py", "requirements.txt"))
    except ProcessInvalidError:
        return
    except Exception as error:  # the suffix is unknown: refused under another name
        assert "requirements.txt" in str(error) or "resource" in str(error), error
        return
    # Since 8.7 files of any other kind are stored as they are.


async def run_to_the_end(stream):
    order = f"py-{uuid.uuid4()}"
    job_type = steps.job_type()
    charged = asyncio.Event()

    async def charge(job: Job):
        assert job.custom_headers == {"currency": "EUR"}, job
        charged.set()
        return {"charged": True}

    async with worker(job_type, stream, charge):
        if stream:
            await asyncio.sleep(1.0)  # only jobs created later are pushed
        result = asyncio.create_task(
            client().run_process_with_result(
                "order", {"orderId": order, "jobType": job_type}, timeout=30_000
            )
        )
        await asyncio.wait_for(charged.wait(), 20)
        await client().publish_message("shipped", order, {"carrier": "x"}, time_to_live_in_milliseconds=60_000)
        answer = await asyncio.wait_for(result, 30)
    assert answer.variables == {
        "orderId": order,
        "jobType": job_type,
        "charged": True,
        "carrier": "x",
    }, answer


async def work_by_polling():
    await run_to_the_end(stream=False)


async def work_by_stream():
    await run_to_the_end(stream=True)


async def fail_and_retry():
    job_type = steps.job_type()
    attempts = []

    async def charge(job: Job):
        attempts.append(job.retries)
        if len(attempts) == 1:
            raise RuntimeError("card reader away")
        return {}

    async with worker(job_type, False, charge):
        await client().run_process("order", {"orderId": "py-fail", "jobType": job_type})
        for _ in range(300):
            if len(attempts) >= 2:
                break
            await asyncio.sleep(0.05)
    assert attempts == [2, 1], attempts


async def throw_error():
    job_type = steps.job_type()

    async def charge(job: Job):
        raise BusinessError("DECLINED", "no money")

    async with worker(job_type, False, charge):
        answer = await asyncio.wait_for(
            client().run_process_with_result(
                "order", {"orderId": "py-declined", "jobType": job_type}, timeout=20_000
            ),
            30,
        )
    assert answer.variables["orderId"] == "py-declined", answer


async def cancel():
    started = await client().run_process("order", {"orderId": "py-cancel", "jobType": "charge"})
    await client().cancel_process_instance(started.process_instance_key)
    try:
        await client().cancel_process_instance(started.process_instance_key)
    except ProcessInstanceNotFoundError:
        return
    raise AssertionError("a canceled instance was canceled again")


async def unknown_process_is_named():
    try:
        await client().run_process("no-such-process")
    except ProcessDefinitionNotFoundError as error:
        assert "no-such-process" in str(error), error
        return
    raise AssertionError("an unknown process was started")


async def message_ids_are_unique():
    identity = str(uuid.uuid4())
    publish = lambda: client().publish_message(
        "shipped", "nobody", {}, time_to_live_in_milliseconds=60_000, message_id=identity
    )
    await publish()
    try:
        await publish()
    except MessageAlreadyExistsError:
        return
    raise AssertionError("a message id was used twice")


steps.run(
    "pyzeebe",
    [
        topology,
        health,
        deploy,
        invalid_models_are_refused,
        work_by_polling,
        work_by_stream,
        fail_and_retry,
        throw_error,
        cancel,
        unknown_process_is_named,
        message_ids_are_unique,
    ],
)
