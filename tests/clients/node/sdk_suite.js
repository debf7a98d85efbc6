// @camunda8/sdk: its gRPC client with streaming workers, and its REST client, in one process.
const assert = require("node:assert");
const { Camunda8 } = require("@camunda8/sdk");
const { AUTH, GRPC, REST, model, run, eventually } = require("./steps");

const camunda = new Camunda8({
  ZEEBE_GRPC_ADDRESS: `grpc://${GRPC}`,
  ZEEBE_REST_ADDRESS: REST,
  ...AUTH,
  CAMUNDA_LOG_LEVEL: "none",
});
const grpc = camunda.getZeebeGrpcApiClient();
const rest = camunda.getCamundaRestClient();

async function topologies_agree() {
  const [a, b] = [await grpc.topology(), await rest.getTopology()];
  assert.equal(Number(a.partitionsCount), Number(b.partitionsCount));
}

async function deploy() {
  const answer = await rest.deployResourcesFromFiles([model("order.bpmn"), model("approve.bpmn")]);
  assert.deepEqual(answer.processes.map((p) => p.processDefinitionId).sort(), ["approve", "order"]);
}

async function stream_work() {
  const seen = [];
  const stream = await grpc.streamJobs({
    type: "charge-sdk-1",
    worker: "sdk-stream",
    timeout: 10_000,
    taskHandler: async (job) => {
      seen.push(job.variables.orderId);
      return job.complete({ charged: true });
    },
  });
  try {
    await new Promise((done) => setTimeout(done, 1000)); // only later jobs are pushed
    await grpc.createProcessInstance({ bpmnProcessId: "order", variables: { orderId: "sdk-1", jobType: "charge-sdk-1" } });
    await eventually(() => seen.includes("sdk-1"), "pushed job");
  } finally {
    stream.close();
  }
}

async function rest_work() {
  const created = await rest.createProcessInstance({ processDefinitionId: "order", variables: { orderId: "sdk-2", jobType: "charge-sdk-2" } });
  const job = await eventually(async () => {
    const jobs = await rest.activateJobs({ type: "charge-sdk-2", worker: "sdk", timeout: 2000, maxJobsToActivate: 1, requestTimeout: 1000 });
    return jobs[0];
  }, "job of sdk-2");
  await job.complete({ charged: 1 });
  await rest.publishMessage({ name: "shipped", correlationKey: "sdk-2", timeToLive: 60_000, variables: {} });
  await eventually(async () => {
    const found = await rest.searchProcessInstances({ filter: { processInstanceKey: created.processInstanceKey } });
    return found.items[0]?.state === "COMPLETED";
  }, "completed instance");
  const variables = await rest.searchVariables({ filter: { processInstanceKey: created.processInstanceKey } });
  assert.deepEqual(variables.items.map((v) => v.name).sort(), ["charged", "jobType", "orderId"]);
}

async function user_task() {
  const created = await rest.createProcessInstance({ processDefinitionId: "approve", variables: {} });
  const task = await eventually(async () => {
    const found = await rest.searchUserTasks({ filter: { processInstanceKey: created.processInstanceKey, state: "CREATED" } });
    return found.items[0];
  }, "user task");
  await rest.assignUserTask({ userTaskKey: task.userTaskKey, assignee: "demo" });
  await rest.completeUserTask({ userTaskKey: task.userTaskKey, variables: { approved: true } });
  await eventually(async () => {
    const found = await rest.searchElementInstances({
      filter: { processInstanceKey: created.processInstanceKey, elementId: "yes" },
    });
    return found.items[0]?.state === "COMPLETED";
  }, "approved end");
}

run("@camunda8/sdk", [topologies_agree, deploy, stream_work, rest_work, user_task]);
