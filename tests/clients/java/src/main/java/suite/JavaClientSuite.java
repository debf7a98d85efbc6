package suite;

import io.camunda.client.CamundaClient;
import io.camunda.client.CamundaClientBuilder;
import io.camunda.client.impl.basicauth.BasicAuthCredentialsProviderBuilder;
import io.camunda.client.impl.oauth.OAuthCredentialsProviderBuilder;
import io.camunda.client.api.command.ClientException;
import io.camunda.client.api.search.enums.IncidentState;
import io.camunda.client.api.search.enums.ProcessInstanceState;
import java.net.URI;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** camunda-client-java: the same steps once with gRPC preferred and once with REST preferred. */
public final class JavaClientSuite {
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static int passed;
  private static int failed;

  private interface Step {
    void run() throws Exception;
  }

  public static void main(final String[] arguments) throws Exception {
    final String models = System.getenv("CLIENT_SUITE_MODELS");
    for (final boolean rest : new boolean[] {false, true}) {
      final String name = "camunda-client-java " + (rest ? "REST" : "gRPC");
      try (final CamundaClient client =
          builder()
              .grpcAddress(URI.create("http://" + System.getenv("CLIENT_SUITE_GRPC")))
              .restAddress(URI.create(System.getenv("CLIENT_SUITE_REST")))
              .preferRestOverGrpc(rest)
              .build()) {
        new Steps(client, models, rest ? "rest" : "grpc").all(name);
      }
    }
    System.out.println("camunda-client-java: " + passed + " passed, " + failed + " failed");
    System.exit(failed == 0 ? 0 : 1);
  }

  /** With a token, or a name and a password, if the broker asks for them. */
  private static CamundaClientBuilder builder() throws Exception {
    final CamundaClientBuilder builder = CamundaClient.newClientBuilder();
    final String issuer = System.getenv("CLIENT_SUITE_ISSUER");
    if (issuer != null) {
      return builder.credentialsProvider(
          new OAuthCredentialsProviderBuilder()
              .applyEnvironmentOverrides(false)
              .authorizationServerUrl(issuer + "/token")
              .audience(System.getenv("CLIENT_SUITE_AUDIENCE"))
              .clientId(System.getenv("CLIENT_SUITE_CLIENT"))
              .clientSecret(System.getenv("CLIENT_SUITE_SECRET"))
              .credentialsCachePath(
                  Files.createTempDirectory("suite").resolve("credentials").toString())
              .build());
    }
    final String user = System.getenv("CLIENT_SUITE_USER");
    if (user == null) {
      return builder;
    }
    return builder.credentialsProvider(
        new BasicAuthCredentialsProviderBuilder()
            .applyEnvironmentOverrides(false)
            .username(user)
            .password(System.getenv("CLIENT_SUITE_PASSWORD"))
            .build());
  }

  private static void step(final String suite, final String name, final Step step) {
    try {
      step.run();
      System.out.println("ok " + suite + ": " + name);
      passed++;
    } catch (final Throwable error) {
      System.out.println("FAILED " + suite + ": " + name);
      error.printStackTrace(System.out);
      failed++;
    }
  }

  private static void check(final boolean holds, final String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  private static void eventually(final String what, final Supplier<Boolean> question)
      throws InterruptedException {
    final long end = System.nanoTime() + PATIENCE.toNanos();
    RuntimeException last = null;
    while (System.nanoTime() < end) {
      try {
        if (question.get()) {
          return;
        }
        last = null;
      } catch (final ClientException error) {
        last = error; // a get answers 404 until the row is there
      }
      Thread.sleep(50);
    }
    throw new AssertionError("not within " + PATIENCE + ": " + what, last);
  }

  private record Steps(CamundaClient client, String models, String tag) {
    void all(final String suite) {
      step(suite, "topology", this::topology);
      step(suite, "deploy", this::deploy);
      step(suite, "work by polling", () -> work(false));
      if (tag.equals("grpc")) {
        step(suite, "work by stream", () -> work(true));
      }
      step(suite, "fail, resolve, cancel", this::failResolveCancel);
      step(suite, "throw error", this::throwError);
      step(suite, "user task", this::userTask);
      step(suite, "mistakes", this::mistakes);
    }

    private void topology() {
      final var answer = client.newTopologyRequest().send().join();
      check(answer.getPartitionsCount() >= 1, "no partitions");
      check(answer.getGatewayVersion().startsWith("8."), answer.getGatewayVersion());
    }

    private void deploy() {
      final var answer =
          client
              .newDeployResourceCommand()
              .addResourceFile(models + "/order.bpmn")
              .addResourceFile(models + "/approve.bpmn")
              .send()
              .join();
      check(answer.getProcesses().size() == 2, "not two processes: " + answer);
    }

    private long start(final String process, final Map<String, Object> variables) {
      return client
          .newCreateInstanceCommand()
          .bpmnProcessId(process)
          .latestVersion()
          .variables(variables)
          .send()
          .join()
          .getProcessInstanceKey();
    }

    /** Each order has a job type of its own: no earlier worker can take its job. */
    private static String type(final String order) {
      return "charge-" + order;
    }

    private long startOrder(final String order) {
      return start("order", Map.of("orderId", order, "jobType", type(order)));
    }

    private void reaches(final long key, final ProcessInstanceState state)
        throws InterruptedException {
      eventually(
          key + " is " + state,
          () -> client.newProcessInstanceGetRequest(key).send().join().getState() == state);
    }

    private void work(final boolean stream) throws Exception {
      final String order = "java-" + tag + "-" + stream;
      final List<String> seen = new CopyOnWriteArrayList<>();
      final CompletableFuture<Void> charged = new CompletableFuture<>();
      try (final var worker =
          client
              .newWorker()
              .jobType(type(order))
              .handler(
                  (jobs, job) -> {
                    seen.add(job.getCustomHeaders().get("currency"));
                    jobs.newCompleteCommand(job).variables(Map.of("charged", true)).send().join();
                    charged.complete(null);
                  })
              .streamEnabled(stream)
              .pollInterval(Duration.ofMillis(100))
              .open()) {
        if (stream) {
          Thread.sleep(1000); // only later jobs are pushed
        }
        final long key = startOrder(order);
        charged.get(20, TimeUnit.SECONDS);
        client
            .newPublishMessageCommand()
            .messageName("shipped")
            .correlationKey(order)
            .timeToLive(Duration.ofMinutes(1))
            .send()
            .join();
        reaches(key, ProcessInstanceState.COMPLETED);
        final var variables =
            client.newVariableSearchRequest().filter(f -> f.processInstanceKey(key)).send().join();
        check(variables.items().size() == 3, "variables: " + variables.items());
      }
      check(seen.contains("EUR"), "headers: " + seen);
    }

    private long take(final String order) throws InterruptedException {
      final long[] found = new long[1];
      eventually(
          "job of " + order,
          () -> {
            final var answer =
                client
                    .newActivateJobsCommand()
                    .jobType(type(order))
                    .maxJobsToActivate(1)
                    .timeout(Duration.ofSeconds(2))
                    .requestTimeout(Duration.ofSeconds(1))
                    .send()
                    .join();
            if (answer.getJobs().isEmpty()) {
              return false;
            }
            found[0] = answer.getJobs().get(0).getKey();
            return true;
          });
      return found[0];
    }

    private void failResolveCancel() throws Exception {
      final String order = "java-fail-" + tag;
      final long key = startOrder(order);
      final long job = take(order);
      client.newFailCommand(job).retries(0).errorMessage("reader away").send().join();
      final long[] incident = new long[1];
      eventually(
          "incident",
          () -> {
            final var found =
                client
                    .newIncidentSearchRequest()
                    .filter(f -> f.processInstanceKey(key).state(IncidentState.ACTIVE))
                    .send()
                    .join()
                    .items();
            if (found.isEmpty()) {
              return false;
            }
            check(found.get(0).getErrorMessage().equals("reader away"), "message");
            incident[0] = found.get(0).getIncidentKey();
            return true;
          });
      client.newUpdateRetriesCommand(job).retries(2).send().join();
      client.newResolveIncidentCommand(incident[0]).send().join();
      check(take(order) == job, "another job after resolution");
      client.newUpdateTimeoutCommand(job).timeout(Duration.ofMinutes(1)).send().join();
      client.newSetVariablesCommand(key).variables(Map.of("note", "x")).send().join();
      client.newCancelInstanceCommand(key).send().join();
      reaches(key, ProcessInstanceState.TERMINATED);
    }

    private void throwError() throws Exception {
      final String order = "java-error-" + tag;
      final long key = startOrder(order);
      client.newThrowErrorCommand(take(order)).errorCode("DECLINED").send().join();
      reaches(key, ProcessInstanceState.COMPLETED);
    }

    private void userTask() throws Exception {
      final long key = start("approve", Map.of());
      final long[] task = new long[1];
      eventually(
          "user task",
          () -> {
            final var found =
                client
                    .newUserTaskSearchRequest()
                    .filter(f -> f.processInstanceKey(key))
                    .send()
                    .join()
                    .items();
            if (found.isEmpty()) {
              return false;
            }
            task[0] = found.get(0).getUserTaskKey();
            return true;
          });
      client.newAssignUserTaskCommand(task[0]).assignee("demo").send().join();
      client.newCompleteUserTaskCommand(task[0]).variables(Map.of("approved", true)).send().join();
      reaches(key, ProcessInstanceState.COMPLETED);
    }

    private void mistakes() {
      try {
        start("nothing-here", Map.of());
      } catch (final ClientException error) {
        check(error.getMessage().contains("nothing-here"), error.getMessage());
        return;
      }
      throw new AssertionError("an unknown process was started");
    }
  }
}
