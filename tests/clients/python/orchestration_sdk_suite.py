"""camunda-orchestration-sdk over REST v2: every answer passes the SDK's generated models."""

import uuid

from camunda_orchestration_sdk import CamundaClient
from camunda_orchestration_sdk import models as m

import steps

client = CamundaClient(configuration={"CAMUNDA_REST_ADDRESS": steps.REST, **steps.AUTH})


def make(model, **fields):
    return getattr(m, model).from_dict(fields)


def start(process, **variables):
    created = client.create_process_instance(
        data=make("ProcessCreationById", processDefinitionId=process, variables=variables)
    )
    return created.process_instance_key


def take(order):
    """The job of this order; each order has a job type of its own."""

    def ask():
        answer = client.activate_jobs(
            data=make(
                "JobActivationRequest",
                type=f"charge-{order}",
                timeout=2000,
                maxJobsToActivate=1,
                worker="python",
                requestTimeout=1000,
            )
        )
        return next(iter(answer.jobs), None)

    return steps.eventually(ask, f"job of {order}")


def start_order(order):
    return start("order", orderId=order, jobType=f"charge-{order}")


def state_of(key):
    return str(client.get_process_instance(key).state.value)


def reaches(key, state):
    steps.eventually(lambda: state_of(key) == state, f"instance {key} is {state}")


def topology():
    answer = client.get_topology()
    assert answer.partitions_count >= 1, answer
    assert answer.gateway_version.startswith("8."), answer


def license_and_identity():
    client.get_license()
    client.get_authentication()


def deploy():
    answer = client.deploy_resources_from_files([steps.model("order.bpmn"), steps.model("approve.bpmn")])
    assert {p.process_definition_id for p in answer.processes} == {"order", "approve"}, answer


def definition_is_found():
    found = steps.eventually(
        lambda: client.search_process_definitions(
            data=make("ProcessDefinitionSearchQuery", filter={"processDefinitionId": "order"})
        ).items,
        "definition",
    )
    key = found[0].process_definition_key
    assert "Charge card" in str(client.get_process_definition_xml(key))


def complete_and_search():
    order = str(uuid.uuid4())
    key = start_order(order)
    client.complete_job(take(order).job_key, data=make("JobCompletionRequest", variables={"charged": 7}))
    client.publish_message(
        data=make("MessagePublicationRequest", name="shipped", correlationKey=order, timeToLive=60000)
    )
    reaches(key, "COMPLETED")
    variables = client.search_variables(
        data=make("VariableSearchQuery", filter={"processInstanceKey": key})
    )
    assert {(v.name, v.value) for v in variables.items} == {
        ("orderId", f'"{order}"'),
        ("jobType", f'"charge-{order}"'),
        ("charged", "7"),
    }, variables
    elements = client.search_element_instances(
        data=make("ElementInstanceSearchQuery", filter={"processInstanceKey": key})
    )
    states = {(e.element_id, str(e.state.value)) for e in elements.items}
    assert ("charge", "COMPLETED") in states and ("done", "COMPLETED") in states, states
    jobs = client.search_jobs(data=make("JobSearchQuery", filter={"processInstanceKey": key}))
    assert [str(j.state.value) for j in jobs.items] == ["COMPLETED"], jobs


def fail_resolve_complete():
    order = str(uuid.uuid4())
    key = start_order(order)
    job = take(order)
    client.fail_job(job.job_key, data=make("JobFailRequest", retries=0, errorMessage="reader away"))
    incident = steps.eventually(
        lambda: client.search_incidents(
            data=make("IncidentSearchQuery", filter={"processInstanceKey": key, "state": "ACTIVE"})
        ).items,
        "incident",
    )[0]
    assert incident.error_message == "reader away", incident
    client.update_job(job.job_key, data=make("JobUpdateRequest", changeset={"retries": 1}))
    client.resolve_incident(incident.incident_key)
    client.complete_job(take(order).job_key)
    client.cancel_process_instance(key, data=None)
    reaches(key, "TERMINATED")


def throw_error():
    order = str(uuid.uuid4())
    key = start_order(order)
    client.throw_job_error(take(order).job_key, data=make("JobErrorRequest", errorCode="DECLINED"))
    reaches(key, "COMPLETED")


def user_task():
    key = start("approve")
    task = steps.eventually(
        lambda: client.search_user_tasks(
            data=make("UserTaskSearchQuery", filter={"processInstanceKey": key, "state": "CREATED"})
        ).items,
        "user task",
    )[0]
    assert task.candidate_groups == ["reviewers"], task
    client.assign_user_task(task.user_task_key, data=make("UserTaskAssignmentRequest", assignee="demo"))
    client.complete_user_task(
        task.user_task_key, data=make("UserTaskCompletionRequest", variables={"approved": True})
    )
    reaches(key, "COMPLETED")


def pages_follow_each_other():
    for _ in range(5):
        start("approve")
    query = {"filter": {"processDefinitionId": "approve"}}
    steps.eventually(
        lambda: client.search_process_instances(
            data=make("ProcessInstanceSearchQuery", **query)
        ).page.total_items >= 6,
        "six instances",
    )
    seen, after = [], None
    for _ in range(20):
        page = {"limit": 2} if after is None else {"limit": 2, "after": after}
        answer = client.search_process_instances(
            data=make("ProcessInstanceSearchQuery", page=page, **query)
        )
        if not answer.items:
            break
        seen += [i.process_instance_key for i in answer.items]
        after = answer.page.end_cursor
    assert len(seen) == len(set(seen)) >= 6, seen


steps.run(
    "camunda-orchestration-sdk",
    [
        topology,
        license_and_identity,
        deploy,
        definition_is_found,
        complete_and_search,
        fail_resolve_complete,
        throw_error,
        user_task,
        pages_follow_each_other,
    ],
)
