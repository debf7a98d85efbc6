// Runs the steps of a suite in order and counts; shared by the Node suites.
const path = require("node:path");

const GRPC = process.env.CLIENT_SUITE_GRPC;
const REST = process.env.CLIENT_SUITE_REST;
const USER = process.env.CLIENT_SUITE_USER;
const PASSWORD = process.env.CLIENT_SUITE_PASSWORD;
// The identity provider, if tokens are asked for; and the program that gets them there.
const OAUTH = process.env.CLIENT_SUITE_ISSUER && {
  url: `${process.env.CLIENT_SUITE_ISSUER}/token`,
  audience: process.env.CLIENT_SUITE_AUDIENCE,
  clientId: process.env.CLIENT_SUITE_CLIENT,
  clientSecret: process.env.CLIENT_SUITE_SECRET,
};
// How the official clients prove who they are.
function auth() {
  if (OAUTH) {
    return {
      CAMUNDA_AUTH_STRATEGY: "OAUTH",
      CAMUNDA_OAUTH_URL: OAUTH.url,
      CAMUNDA_CLIENT_ID: OAUTH.clientId,
      CAMUNDA_CLIENT_SECRET: OAUTH.clientSecret,
      CAMUNDA_TOKEN_AUDIENCE: OAUTH.audience,
      ZEEBE_CLIENT_ID: OAUTH.clientId,
      ZEEBE_CLIENT_SECRET: OAUTH.clientSecret,
      ZEEBE_TOKEN_AUDIENCE: OAUTH.audience,
      CAMUNDA_ZEEBE_OAUTH_AUDIENCE: OAUTH.audience,
      CAMUNDA_TOKEN_DISK_CACHE_DISABLE: true,
    };
  }
  return USER
    ? { CAMUNDA_AUTH_STRATEGY: "BASIC", CAMUNDA_BASIC_AUTH_USERNAME: USER, CAMUNDA_BASIC_AUTH_PASSWORD: PASSWORD }
    : { CAMUNDA_AUTH_STRATEGY: "NONE" };
}
const AUTH = auth();
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

module.exports = { AUTH, OAUTH, USER, PASSWORD, GRPC, REST, model, sleep, eventually, run };
