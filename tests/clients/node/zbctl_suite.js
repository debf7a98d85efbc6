// zbctl, the Go command line: every command it has for what the broker serves.
const { execFile } = require("node:child_process");
const path = require("node:path");
const assert = require("node:assert");
const { GRPC, model, run } = require("./steps");

const binary = path.join(path.dirname(require.resolve("zbctl/package.json")), "bin", "zbctl-cli.linux");

function zbctl(...words) {
  return new Promise((done, fail) => {
    execFile(binary, ["--insecure", "--address", GRPC, ...words], { timeout: 30_000 }, (error, out, err) =>
      error ? fail(new Error(`zbctl ${words.join(" ")}: ${err || error}`)) : done(out),
    );
  });
}

const json = async (...words) => JSON.parse(await zbctl(...words));

// Each order has a job type of its own.
const type = (order) => `charge-${order}`;

async function activate(order) {
  const answer = await json("activate", "jobs", type(order), "--maxJobsToActivate", "1", "--requestTimeout", "10s");
  assert.equal((answer.jobs ?? []).length, 1, `no job for ${order}`);
  return answer.jobs[0];
}

const start = (order) =>
  json("create", "instance", "order", "--variables", JSON.stringify({ orderId: order, jobType: type(order) }));

async function status() {
  const text = await zbctl("status");
  assert.match(text, /Partition 1 : Leader, Healthy/);
}

async function deploy() {
  const answer = await json("deploy", "resource", model("order.bpmn"));
  assert.equal(answer.deployments[0].process.bpmnProcessId, "order");
}

async function complete() {
  await start("go-1");
  const job = await activate("go-1");
  assert.equal(JSON.parse(job.customHeaders).currency, "EUR");
  await zbctl("complete", "job", job.key, "--variables", '{"charged": true}');
  await zbctl("publish", "message", "shipped", "--correlationKey", "go-1", "--ttl", "60s");
}

async function fail_update_resolve() {
  await start("go-2");
  const job = await activate("go-2");
  await zbctl("fail", "job", job.key, "--retries", "1", "--errorMessage", "again please");
  const again = await activate("go-2");
  assert.equal(again.key, job.key);
  assert.equal(again.retries, 1);
  await zbctl("update", "retries", job.key, "--retries", "5");
  await zbctl("throwError", "job", job.key, "--errorCode", "DECLINED");
}

async function set_and_cancel() {
  const instance = await start("go-3");
  const key = instance.processInstanceKey;
  await zbctl("set", "variables", key, "--variables", '{"note": "x"}');
  await zbctl("cancel", "instance", key);
  await assert.rejects(zbctl("cancel", "instance", key), /NotFound|NOT_FOUND/);
}

async function unknown_keys_are_named() {
  await assert.rejects(zbctl("complete", "job", "2251799813999999"), /no such job was found/);
  await assert.rejects(zbctl("create", "instance", "nothing-here"), /nothing-here/);
}

run("zbctl", [status, deploy, complete, fail_update_resolve, set_and_cancel, unknown_keys_are_named]);
