// zeebe-node, the community gRPC client: workers, results, messages, errors.
const assert = require("node:assert");
const { ZBClient } = require("zeebe-node");
const { GRPC, OAUTH, USER, PASSWORD, model, run, eventually } = require("./steps");

const basicAuth = USER && { username: USER, password: PASSWORD };
const oAuth = OAUTH && { ...OAUTH, cacheOnDisk: false };
const client = new ZBClient(GRPC, { loglevel: "NONE", retry: true, longPoll: 1000, useTLS: false, basicAuth, oAuth });

// Each order has a job type of its own.
const type = (order) => `charge-${order}`;
const order = (id) => ({ orderId: id, jobType: type(id) });

async function with_worker(id, handler, body) {
  const worker = client.createWorker({ taskType: type(id), taskHandler: handler, timeout: 10_000, loglevel: "NONE" });
  try {
    await body();
  } finally {
    await worker.close(500);
  }
}

async function topology() {
  const answer = await client.topology();
  assert.ok(answer.brokers.length >= 1 && answer.partitionsCount >= 1);
}

async function deploy() {
  const answer = await client.deployResource({ processFilename: model("order.bpmn") });
  assert.equal(answer.deployments[0].process.bpmnProcessId, "order");
}

async function work() {
  await with_worker(
    "node-1",
    (job) => job.complete({ charged: job.variables.orderId }),
    async () => {
      const result = client.createProcessInstanceWithResult({
        bpmnProcessId: "order",
        variables: order("node-1"),
        requestTimeout: 20_000,
      });
      await client.publishMessage({
        name: "shipped",
        correlationKey: "node-1",
        timeToLive: 60_000,
        variables: { carrier: "x" },
      });
      assert.deepEqual((await result).variables, { ...order("node-1"), charged: "node-1", carrier: "x" });
    },
  );
}

async function fail_then_complete() {
  const retries = [];
  await with_worker(
    "node-2",
    (job) => {
      retries.push(job.retries);
      return retries.length === 1 ? job.fail("first attempt fails") : job.complete();
    },
    async () => {
      await client.createProcessInstance({ bpmnProcessId: "order", variables: order("node-2") });
      await eventually(() => retries.length === 2, "second attempt");
    },
  );
  assert.deepEqual(retries, [2, 1]);
}

async function throw_error() {
  await with_worker(
    "node-3",
    (job) => job.error("DECLINED", "no money"),
    async () => {
      const answer = await client.createProcessInstanceWithResult({
        bpmnProcessId: "order",
        variables: order("node-3"),
        requestTimeout: 20_000,
      });
      assert.equal(answer.variables.orderId, "node-3");
    },
  );
}

async function cancel() {
  const instance = await client.createProcessInstance({ bpmnProcessId: "order", variables: order("node-4") });
  await client.cancelProcessInstance(instance.processInstanceKey);
  await assert.rejects(client.cancelProcessInstance(instance.processInstanceKey), /no such process was found/);
}

run("zeebe-node", [topology, deploy, work, fail_then_complete, throw_error, cancel]);
