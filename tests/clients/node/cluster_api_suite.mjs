// @camunda8/orchestration-cluster-api with strict schema validation of every answer.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import createCamundaClient from "@camunda8/orchestration-cluster-api";
import steps from "./steps.js";

const { AUTH, REST, model, run, eventually } = steps;
const camunda = createCamundaClient({
  config: {
    CAMUNDA_REST_ADDRESS: REST,
    ...AUTH,
    CAMUNDA_SDK_VALIDATION: "req:strict,res:strict",
    CAMUNDA_SDK_LOG_LEVEL: "error",
  },
});
const now = { consistency: { waitUpToMs: 20_000, pollIntervalMs: 50 } };
const once = { consistency: { waitUpToMs: 0 } };

async function topology() {
  const answer = await camunda.getTopology();
  assert.match(answer.gatewayVersion, /^8\./);
}

async function license() {
  await camunda.getLicense();
  await camunda.getAuthentication();
}

async function deploy() {
  const file = (name) => new File([readFileSync(model(name))], name);
  const answer = await camunda.createDeployment({ resources: [file("order.bpmn"), file("approve.bpmn")] });
  assert.equal(answer.deployments.length, 2);
}

async function complete_and_search() {
  const created = await camunda.createProcessInstance({
    processDefinitionId: "order",
    variables: { orderId: "ts-1", jobType: "charge-ts-1" },
  });
  const worker = camunda.createJobWorker({
    jobType: "charge-ts-1",
    maxParallelJobs: 8,
    jobTimeoutMs: 5_000,
    workerName: "ts",
    jobHandler: (job) => job.complete({ charged: true }),
  });
  try {
    await camunda.publishMessage({ name: "shipped", correlationKey: "ts-1", timeToLive: 60_000 });
    await eventually(async () => {
      const found = await camunda.getProcessInstance({ processInstanceKey: created.processInstanceKey }, once);
      return found.state === "COMPLETED";
    }, "completed instance");
  } finally {
    await worker.stop?.();
  }
  const filter = { processInstanceKey: created.processInstanceKey };
  const elements = await camunda.searchElementInstances({ filter }, now);
  assert.ok(elements.items.some((e) => e.elementId === "done" && e.state === "COMPLETED"));
  const variables = await camunda.searchVariables({ filter, sort: [{ field: "name", order: "ASC" }] }, now);
  assert.deepEqual(variables.items.map((v) => v.name), ["charged", "jobType", "orderId"]);
  const jobs = await camunda.searchJobs({ filter }, now);
  assert.equal(jobs.items[0].state, "COMPLETED");
}

async function fail_and_resolve() {
  const created = await camunda.createProcessInstance({
    processDefinitionId: "order",
    variables: { orderId: "ts-2", jobType: "charge-ts-2" },
  });
  const job = await eventually(async () => {
    const answer = await camunda.activateJobs({ type: "charge-ts-2", timeout: 2000, maxJobsToActivate: 1, worker: "ts", requestTimeout: 1000 });
    return answer.jobs[0];
  }, "job of ts-2");
  await camunda.failJob({ jobKey: job.jobKey, retries: 0, errorMessage: "out of paper" });
  const incidents = await camunda.searchIncidents(
    { filter: { processInstanceKey: created.processInstanceKey } },
    { consistency: { waitUpToMs: 20_000, pollIntervalMs: 50, predicate: (answer) => answer.items.length > 0 } },
  );
  assert.equal(incidents.items[0].errorMessage, "out of paper");
  await camunda.updateJob({ jobKey: job.jobKey, changeset: { retries: 2 } });
  await camunda.resolveIncident({ incidentKey: incidents.items[0].incidentKey });
  await camunda.cancelProcessInstance({ processInstanceKey: created.processInstanceKey });
}

async function mistakes_are_problems() {
  await assert.rejects(camunda.createProcessInstance({ processDefinitionId: "nothing-here" }), /404|NOT_FOUND/);
  await assert.rejects(camunda.completeJob({ jobKey: "2251799813999999" }), /404|NOT_FOUND/);
}

run("@camunda8/orchestration-cluster-api", [
  topology,
  license,
  deploy,
  complete_and_search,
  fail_and_resolve,
  mistakes_are_problems,
]);
