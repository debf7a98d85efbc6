import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.camunda.zeebe.client.ZeebeClient;
import io.camunda.zeebe.process.test.api.ZeebeTestEngine;
import io.camunda.zeebe.process.test.engine.EngineFactory;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** An engine under comparison: one partition, empty at the start, its records readable at the end. */
interface Subject extends AutoCloseable {
  ObjectMapper JSON = new ObjectMapper();

  ZeebeClient client();

  /** Waits until nothing moves any more. */
  void settle() throws Exception;

  /** Key of the oldest incident that is not resolved. */
  long incident() throws Exception;

  /** Ends the engine; its records in order: recordType, valueType, intent, key, rejection, value. */
  List<JsonNode> records() throws Exception;

  /** The real one. */
  final class Camunda implements Subject {
    private final ZeebeTestEngine engine = EngineFactory.create();
    private final ZeebeClient client;

    Camunda() {
      engine.start();
      client = engine.createClient();
    }

    @Override
    public ZeebeClient client() {
      return client;
    }

    @Override
    public void settle() throws Exception {
      engine.waitForIdleState(Duration.ofSeconds(10));
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
    public void close() {
      client.close();
      engine.stop();
    }
  }

  /** Ours: the binary, on a data directory of its own. */
  final class Ringflow implements Subject {
    private static final Duration QUIET = Duration.ofMillis(400);
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
      for (int round = 0; round < 50; round++) {
        var body = "{\"filter\":{\"state\":\"ACTIVE\"},\"sort\":[{\"field\":\"creationTime\"}]}";
        var request =
            HttpRequest.newBuilder(URI.create("http://" + rest + "/v2/incidents/search"))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body)).build();
        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        var items = JSON.readTree(answer.body()).path("items");
        if (items.size() > 0) {
          return items.get(0).path("incidentKey").asLong();
        }
        Thread.sleep(100);
      }
      throw new IllegalStateException("no incident");
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
