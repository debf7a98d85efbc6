"""Random processes of every construct, driven over gRPC: they end where the engine's own test says.

The models and their ends are in core/tests/fixture/random, with the treatment in
core/tests/it/random_end.rs, which this repeats. The broker has one partition and its clock is
pinned, so that nothing depends on time.
"""

import collections
import glob
import json
import os
import time
import urllib.error
import urllib.request

import grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

import steps

ROUNDS = 24
client = GatewayStub(grpc.insecure_channel(steps.GRPC))


def rest(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{steps.REST}/v2/{path}", data, {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or "null")


def refused(call, request):
    """True if the broker refuses because what is named is gone."""
    try:
        call(request, timeout=20)
        return False
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        return True


def activate():
    jobs = []
    request = pb.ActivateJobsRequest(
        type="work", worker="random", timeout=3_600_000, maxJobsToActivate=1000, requestTimeout=-1
    )
    for answer in client.ActivateJobs(request, timeout=20):
        jobs.extend(answer.jobs)
    return sorted(jobs, key=lambda job: job.key)


def complete(job, x):
    if job.elementId.startswith("adhoc") and "_" not in job.elementId:
        end_ad_hoc(job, x)
        return
    request = pb.CompleteJobRequest(jobKey=job.key, variables=json.dumps({"x": x}))
    refused(client.CompleteJob, request)


def end_ad_hoc(job, x):
    """The stubs of this client know no results of jobs yet, so this goes over REST."""
    result = {
        "type": "adHocSubProcess",
        "isCompletionConditionFulfilled": True,
        "isCancelRemainingInstances": True,
    }
    try:
        rest("POST", f"jobs/{job.key}/completion", {"variables": {"x": x}, "result": result})
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise


def happen(which):
    if which == 2:
        client.BroadcastSignal(
            pb.BroadcastSignalRequest(signalName="s", variables='{"s":1}'), timeout=20
        )
        return
    name = ["m1", "m2"][which]
    client.PublishMessage(
        pb.PublishMessageRequest(name=name, correlationKey="k", variables='{"m":1}'), timeout=20
    )


def treat():
    quiet = 0
    for round in range(ROUNDS):
        jobs = activate()
        for number, job in enumerate(jobs):
            complete(job, (round + number) % 3)
        if not jobs:
            happen(quiet % 3)
            quiet += 1


def ends(process):
    """How often which element of a process ended how; one that has not ended is ACTIVE."""
    counts = collections.Counter()
    body = {"filter": {"processDefinitionId": process}, "page": {"limit": 5000}}
    for item in rest("POST", "element-instances/search", body)["items"]:
        if item["type"] != "PROCESS":
            counts[f"{process} {item['elementId']} {item['state']}"] += 1
    return counts


def ends_as_stored(file):
    calls, called, outcome = open(file, encoding="ascii").read().split("\n---\n")
    wanted = collections.Counter()
    for line in outcome.splitlines():
        end, count = line.rsplit(" ", 1)
        wanted[end] = int(count)
    name = f"random{int(os.path.basename(file)[:2])}"
    for model in (called, calls):
        resource = pb.Resource(name=f"{name}.bpmn", content=model.encode())
        client.DeployResource(pb.DeployResourceRequest(resources=[resource]), timeout=20)
    created = client.CreateProcessInstance(
        pb.CreateProcessInstanceRequest(bpmnProcessId=name, version=-1, variables='{"key":"k"}'),
        timeout=20,
    )
    treat()
    refused(
        client.CancelProcessInstance,
        pb.CancelProcessInstanceRequest(processInstanceKey=created.processInstanceKey),
    )
    end = time.monotonic() + 20
    found = None
    while found != wanted and time.monotonic() < end:
        found = ends(name) + ends(f"{name}_child")
        time.sleep(0.05)
    assert found == wanted, f"only here: {found - wanted}; only there: {wanted - found}"


def step(file):
    def run():
        ends_as_stored(file)

    run.__name__ = f"seed_{os.path.basename(file)[:2]}"
    return run


rest("PUT", "clock", {"timestamp": int(time.time() * 1000)})
steps.run("random", [step(file) for file in sorted(glob.glob(steps.model("*.txt")))])
