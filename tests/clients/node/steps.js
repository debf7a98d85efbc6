// Runs the steps of a suite in order and counts; shared by the Node suites.
const path = require("node:path");

const GRPC = process.env.CLIENT_SUITE_GRPC;
const REST = process.env.CLIENT_SUITE_REST;
const USER = process.env.CLIENT_SUITE_USER;
const PASSWORD = process.env.CLIENT_SUITE_PASSWORD;
// How the official clients prove who they are.
const AUTH = USER
  ? { CAMUNDA_AUTH_STRATEGY: "BASIC", CAMUNDA_BASIC_AUTH_USERNAME: USER, CAMUNDA_BASIC_AUTH_PASSWORD: PASSWORD }
  : { CAMUNDA_AUTH_STRATEGY: "NONE" };
const STEP_MILLIS_MAX = 60_000;

const model = (name) => path.join(process.env.CLIENT_SUITE_MODELS, name);
const sleep = (millis) => new Promise((done) => setTimeout(done, millis));

// Asks until the answer is truthy: searches lag behind commands.
async function eventually(question, what, millis = 20_000) {
  const end = Date.now() + millis;
  let last;
  while (Date.now() < end) {
    try {
      const answer = await question();
      if (answer) return answer;
      last = undefined;
    } catch (error) {
      last = error; // a get answers 404 until the row is there
    }
    await sleep(50);
  }
  throw new Error(`not within ${millis} ms: ${what}${last ? ` (last error: ${last})` : ""}`);
}

async function run(suite, steps) {
  let passed = 0;
  let failed = 0;
  for (const step of steps) {
    let timer;
    const limit = new Promise((_, give_up) => {
      timer = setTimeout(() => give_up(new Error("step took too long")), STEP_MILLIS_MAX);
    });
    try {
      await Promise.race([step(), limit]);
      console.log(`ok ${suite}: ${step.name}`);
      passed += 1;
    } catch (error) {
      console.log(`FAILED ${suite}: ${step.name}`);
      console.log(error);
      failed += 1;
    } finally {
      clearTimeout(timer);
    }
  }
  console.log(`${suite}: ${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

module.exports = { AUTH, USER, PASSWORD, GRPC, REST, model, sleep, eventually, run };
