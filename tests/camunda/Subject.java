import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.camunda.zeebe.client.ZeebeClient;
import io.camunda.zeebe.process.test.api.ZeebeTestEngine;
import io.camunda.zeebe.process.test.engine.NewerEngine;
import io.camunda.zeebe.protocol.impl.encoding.MsgPackConverter;
import io.camunda.zeebe.protocol.impl.record.UnifiedRecordValue;
import io.camunda.zeebe.protocol.impl.record.value.adhocsubprocess.AdHocSubProcessInstructionRecord;
import io.camunda.zeebe.protocol.impl.record.value.conditional.ConditionalEvaluationRecord;
import io.camunda.zeebe.protocol.impl.record.value.job.JobRecord;
import io.camunda.zeebe.protocol.impl.record.value.job.JobResult;
import io.camunda.zeebe.protocol.impl.record.value.job.JobResultCorrections;
import io.camunda.zeebe.protocol.impl.record.value.message.MessageCorrelationRecord;
import io.camunda.zeebe.protocol.impl.record.value.processinstance.ProcessInstanceCreationRecord;
import io.camunda.zeebe.protocol.impl.record.value.processinstance.ProcessInstanceCreationRuntimeInstruction;
import io.camunda.zeebe.protocol.impl.record.value.usertask.UserTaskRecord;
import io.camunda.zeebe.protocol.record.ValueType;
import io.camunda.zeebe.protocol.record.intent.AdHocSubProcessInstructionIntent;
import io.camunda.zeebe.protocol.record.intent.ConditionalEvaluationIntent;
import io.camunda.zeebe.protocol.record.intent.Intent;
import io.camunda.zeebe.protocol.record.intent.JobIntent;
import io.camunda.zeebe.protocol.record.intent.MessageCorrelationIntent;
import io.camunda.zeebe.protocol.record.intent.ProcessInstanceCreationIntent;
import io.camunda.zeebe.protocol.record.intent.ProcessInstanceIntent;
import io.camunda.zeebe.protocol.record.intent.UserTaskIntent;
import io.camunda.zeebe.protocol.record.value.JobResultType;
import io.camunda.zeebe.protocol.record.value.ProcessInstanceRecordValue;
import io.camunda.zeebe.protocol.record.value.RuntimeInstructionType;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/** An engine under comparison: one partition, empty at the start, its records readable at the end. */
interface Subject extends AutoCloseable {
  ObjectMapper JSON = new ObjectMapper();

  ZeebeClient client();

  /** Waits until nothing moves any more. */
  void settle() throws Exception;

  /** Key of the oldest incident that is not resolved. */
  long incident() throws Exception;

  /** Key of the newest instance of an element. */
  long element(String id) throws Exception;

  /** Key of the newest user task. */
  long userTask() throws Exception;

  void completeTask(long key, String variables) throws Exception;

  void assignTask(long key, String user) throws Exception;

  void prioritizeTask(long key, int priority) throws Exception;

  /** Completes the job of a task listener, which refuses or corrects the assignee. */
  void completeListener(long job, boolean denied, String assignee) throws Exception;

  void correlate(String name, String correlation, String variables) throws Exception;

  void activateInside(long adHoc, String element, boolean cancelOthers) throws Exception;

  void evaluateConditions(String variables) throws Exception;

  /** Creates an instance that ends behind an element. */
  void createUntil(String id, String element) throws Exception;

  /** Ends the engine; its records in order: recordType, valueType, intent, key, rejection, value. */
  List<JsonNode> records() throws Exception;

  /** The real one. */
  final class Camunda implements Subject {
    private final NewerEngine newer;
    private final ZeebeTestEngine engine;
    private final ZeebeClient client;

    Camunda() throws Exception {
      newer = new NewerEngine();
      engine = newer.engine;
      engine.start();
      client = engine.createClient();
    }

    @Override
    public ZeebeClient client() {
      return client;
    }

    @Override
    public void settle() throws Exception {
      engine.waitForIdleState(Duration.ofSeconds(20));
    }

    @Override
    public long incident() throws Exception {
      settle();
      var open = new ArrayList<Long>();
      for (var record : engine.getRecordStreamSource().getRecords()) {
        if (record.getValueType().name().equals("INCIDENT")) {
          switch (record.getIntent().name()) {
            case "CREATED" -> open.add(record.getKey());
            case "RESOLVED" -> open.remove(record.getKey());
            default -> {}
          }
        }
      }
      return open.get(0);
    }

    @Override
    public long element(String id) throws Exception {
      settle();
      long key = -1;
      for (var record : engine.getRecordStreamSource().getRecords()) {
        if (record.getIntent() == ProcessInstanceIntent.ELEMENT_ACTIVATED
            && ((ProcessInstanceRecordValue) record.getValue()).getElementId().equals(id)) {
          key = record.getKey();
        }
      }
      return key;
    }

    @Override
    public long userTask() throws Exception {
      settle();
      long key = -1;
      for (var record : engine.getRecordStreamSource().getRecords()) {
        if (record.getIntent() == UserTaskIntent.CREATING) {
          key = record.getKey();
        }
      }
      return key;
    }

    @Override
    public void completeTask(long key, String variables) {
      var value = new UserTaskRecord().setUserTaskKey(key).setVariables(packed(variables));
      command(key, ValueType.USER_TASK, UserTaskIntent.COMPLETE, value.setAction("complete"));
    }

    @Override
    public void assignTask(long key, String user) {
      var value = new UserTaskRecord().setUserTaskKey(key).setAssignee(user).setAction("assign");
      command(key, ValueType.USER_TASK, UserTaskIntent.ASSIGN, value);
    }

    @Override
    public void prioritizeTask(long key, int priority) {
      var value = new UserTaskRecord().setUserTaskKey(key).setPriority(priority).setAction("update");
      command(key, ValueType.USER_TASK, UserTaskIntent.UPDATE, value.setPriorityChanged());
    }

    @Override
    public void completeListener(long job, boolean denied, String assignee) {
      var result = new JobResult().setType(JobResultType.USER_TASK).setDenied(denied);
      if (denied) {
        result.setDeniedReason("not now");
      }
      if (assignee != null) {
        result.setCorrections(new JobResultCorrections().setAssignee(assignee));
        result.setCorrectedAttributes(List.of("assignee"));
      }
      command(job, ValueType.JOB, JobIntent.COMPLETE, new JobRecord().setResult(result));
    }

    @Override
    public void correlate(String name, String correlation, String variables) {
      var value =
          new MessageCorrelationRecord().setName(name).setCorrelationKey(correlation)
              .setVariables(packed(variables));
      command(-1, ValueType.MESSAGE_CORRELATION, MessageCorrelationIntent.CORRELATE, value);
    }

    @Override
    public void activateInside(long adHoc, String element, boolean cancelOthers) {
      var value = new AdHocSubProcessInstructionRecord().setAdHocSubProcessInstanceKey(adHoc);
      value.activateElements().add().setElementId(element);
      command(
          adHoc, ValueType.AD_HOC_SUB_PROCESS_INSTRUCTION, AdHocSubProcessInstructionIntent.ACTIVATE,
          value.setCancelRemainingInstances(cancelOthers));
    }

    @Override
    public void evaluateConditions(String variables) {
      var value = new ConditionalEvaluationRecord().setVariables(packed(variables));
      command(-1, ValueType.CONDITIONAL_EVALUATION, ConditionalEvaluationIntent.EVALUATE, value);
    }

    @Override
    public void createUntil(String id, String element) {
      var value = new ProcessInstanceCreationRecord().setBpmnProcessId(id);
      value.addRuntimeInstruction(
          new ProcessInstanceCreationRuntimeInstruction()
              .setType(RuntimeInstructionType.TERMINATE_PROCESS_INSTANCE)
              .setAfterElementId(element));
      command(
          -1, ValueType.PROCESS_INSTANCE_CREATION, ProcessInstanceCreationIntent.CREATE, value);
    }

    private void command(long key, ValueType type, Intent intent, UnifiedRecordValue value) {
      newer.command(key, type, intent, value);
    }

    private static DirectBuffer packed(String json) {
      return new UnsafeBuffer(MsgPackConverter.convertToMsgPack(json));
    }

    @Override
    public List<JsonNode> records() throws Exception {
      settle();
      var records = new ArrayList<JsonNode>();
      for (var record : engine.getRecordStreamSource().getRecords()) {
        var json = (ObjectNode) JSON.readTree(record.toJson());
        var kind = json.path("rejectionType").asText();
        var reason = kind + ": " + json.path("rejectionReason").asText();
        json.put("rejection", kind.equals("NULL_VAL") ? "" : reason.replace("\n", "\\n").trim());
        records.add(json);
      }
      return records;
    }

    @Override
    public void close() throws Exception {
      client.close();
      newer.stop();
    }
  }

  /** Ours: the binary, on a data directory of its own. */
  final class Ringflow implements Subject {
    private static final Duration QUIET = Duration.ofMillis(400);
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private final String binary;
    private final Path data;
    private final Process process;
    private final ZeebeClient client;
    private String rest;

    Ringflow(String binary) throws Exception {
      this.binary = binary;
      data = Files.createTempDirectory("ringflow-compare");
      process =
          new ProcessBuilder(
                  binary, "start", "--partitions", "1", "--data-dir", data.toString(),
                  "--grpc-address", "127.0.0.1:0", "--rest-address", "127.0.0.1:0",
                  "--management-address", "127.0.0.1:0")
              .redirectErrorStream(true)
              .start();
      var lines = new BufferedReader(new InputStreamReader(process.getInputStream()));
      String grpc = null;
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.contains("is ready")) {
          grpc = address(line, "grpc");
          rest = address(line, "rest");
          break;
        }
      }
      if (grpc == null) {
        throw new IllegalStateException("ringflow did not become ready");
      }
      var drain = new Thread(() -> drain(lines));
      drain.setDaemon(true);
      drain.start();
      client =
          ZeebeClient.newClientBuilder().grpcAddress(URI.create("http://" + grpc)).usePlaintext()
              .build();
    }

    private static void drain(BufferedReader lines) {
      try {
        while (lines.readLine() != null) {}
      } catch (IOException ended) {
        // So has the broker.
      }
    }

    private static String address(String line, String name) {
      var found = Pattern.compile(name + "=([0-9.]+:[0-9]+)").matcher(line);
      if (!found.find()) {
        throw new IllegalStateException("no " + name + " address in: " + line);
      }
      return found.group(1);
    }

    @Override
    public ZeebeClient client() {
      return client;
    }

    @Override
    public void settle() throws Exception {
      Thread.sleep(QUIET);
    }

    @Override
    public long incident() throws Exception {
      return newest("incidents", "{\"state\":\"ACTIVE\"}", "creationTime", "ASC", "incidentKey");
    }

    @Override
    public long element(String id) throws Exception {
      var filter = "{\"elementId\":\"" + id + "\",\"state\":\"ACTIVE\"}";
      return newest("element-instances", filter, "elementInstanceKey", "DESC", "elementInstanceKey");
    }

    @Override
    public long userTask() throws Exception {
      return newest("user-tasks", "{}", "creationDate", "DESC", "userTaskKey");
    }

    @Override
    public void completeTask(long key, String variables) throws Exception {
      send("POST", "user-tasks/" + key + "/completion", "{\"variables\":" + variables + "}");
    }

    @Override
    public void assignTask(long key, String user) throws Exception {
      send("POST", "user-tasks/" + key + "/assignment", "{\"assignee\":\"" + user + "\"}");
    }

    @Override
    public void prioritizeTask(long key, int priority) throws Exception {
      send("PATCH", "user-tasks/" + key, "{\"changeset\":{\"priority\":" + priority + "}}");
    }

    @Override
    public void completeListener(long job, boolean denied, String assignee) throws Exception {
      var corrections = assignee == null ? "null" : "{\"assignee\":\"" + assignee + "\"}";
      var reason = denied ? "\"not now\"" : "null";
      send("POST", "jobs/" + job + "/completion",
          "{\"result\":{\"type\":\"userTask\",\"denied\":" + denied + ",\"deniedReason\":" + reason
              + ",\"corrections\":" + corrections + "}}");
    }

    @Override
    public void correlate(String name, String correlation, String variables) throws Exception {
      send("POST", "messages/correlation",
          "{\"name\":\"" + name + "\",\"correlationKey\":\"" + correlation
              + "\",\"variables\":" + variables + "}");
    }

    @Override
    public void activateInside(long adHoc, String element, boolean cancelOthers) throws Exception {
      send("POST", "element-instances/ad-hoc-activities/" + adHoc + "/activation",
          "{\"elements\":[{\"elementId\":\"" + element + "\"}],\"cancelRemainingInstances\":"
              + cancelOthers + "}");
    }

    @Override
    public void evaluateConditions(String variables) throws Exception {
      send("POST", "conditionals/evaluation", "{\"variables\":" + variables + "}");
    }

    @Override
    public void createUntil(String id, String element) throws Exception {
      send("POST", "process-instances",
          "{\"processDefinitionId\":\"" + id + "\",\"runtimeInstructions\":[{\"type\":"
              + "\"TERMINATE_PROCESS_INSTANCE\",\"afterElementId\":\"" + element + "\"}]}");
    }

    private long newest(String what, String filter, String sort, String order, String key)
        throws Exception {
      settle();
      for (int round = 0; round < 50; round++) {
        var body =
            "{\"filter\":" + filter + ",\"sort\":[{\"field\":\"" + sort + "\",\"order\":\"" + order
                + "\"}]}";
        var items = JSON.readTree(send("POST", what + "/search", body)).path("items");
        if (items.size() > 0) {
          return items.get(0).path(key).asLong();
        }
        Thread.sleep(100);
      }
      throw new IllegalStateException("nothing found: " + what + ' ' + filter);
    }

    /** A refusal is in the stream. */
    private String send(String method, String path, String body) throws Exception {
      var request =
          HttpRequest.newBuilder(URI.create("http://" + rest + "/v2/" + path))
              .header("content-type", "application/json").timeout(Duration.ofSeconds(2))
              .method(method, HttpRequest.BodyPublishers.ofString(body)).build();
      try {
        return HTTP.send(request, HttpResponse.BodyHandlers.ofString()).body();
      } catch (HttpTimeoutException waits) {
        // For a listener, which comes later.
        return "";
      }
    }

    @Override
    public List<JsonNode> records() throws Exception {
      settle();
      end();
      var inspect =
          new ProcessBuilder(binary, "inspect", "log", data.toString())
              .redirectError(ProcessBuilder.Redirect.DISCARD).start();
      var text = new String(inspect.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      var records = new ArrayList<JsonNode>();
      for (var line : text.split("\n")) {
        var word = line.split(" ");
        if (word.length < 10 || !word[2].equals("position")) {
          continue;
        }
        var record = JSON.createObjectNode();
        record.put("recordType", word[6]).put("valueType", word[7]).put("intent", word[8]);
        record.put("key", key(word[9]));
        var rest = line.substring(line.indexOf(' ' + word[9] + ' ') + word[9].length() + 2);
        int value = rest.startsWith("{") ? 0 : value(rest);
        record.set("value", JSON.readTree(rest.substring(value)));
        record.put("rejection", rest.substring(0, value).trim());
        records.add(record);
      }
      return records;
    }

    /** Where the value begins: the reason before it may hold braces of its own. */
    private static int value(String text) {
      for (int at = text.indexOf('{'); at >= 0; at = text.indexOf('{', at + 1)) {
        try (var parser = JSON.createParser(text.substring(at))) {
          parser.readValueAsTree();
          if (parser.nextToken() == null) {
            return at;
          }
        } catch (IOException broken) {
          continue;
        }
      }
      throw new IllegalStateException("no value in: " + text);
    }

    private static long key(String text) {
      int dash = text.indexOf('-', 1);
      if (dash < 0 || text.startsWith("K-")) {
        return -1;
      }
      return Long.parseLong(text.substring(1, dash)) << 51 | Long.parseLong(text.substring(dash + 1));
    }

    private void end() throws Exception {
      process.destroy();
      if (!process.waitFor(20, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    }

    @Override
    public void close() throws Exception {
      client.close();
      end();
      try (var files = Files.walk(data)) {
        for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }
}
