// Poses of a stream by WebSocket: java Client.java http://127.0.0.1:8791 STREAM [MESSAGES]
// Java 17 or newer, nothing to install. The token is read from POSETRACK_TOKEN.
// For more than frame and ids, give the text to a JSON library.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

public class Client {
  private static final Pattern FRAME = Pattern.compile("\"frame\":(\\d+)");
  private static final Pattern ID = Pattern.compile("\"id\":(\\d+)");

  public static void main(String[] args) throws Exception {
    int wanted = args.length > 2 ? Integer.parseInt(args[2]) : 0;
    CountDownLatch over = new CountDownLatch(1);
    String url = args[0].replaceFirst("http", "ws") + "/v1/streams/" + args[1] + "/poses";
    WebSocket.Builder builder = HttpClient.newHttpClient().newWebSocketBuilder();
    String token = System.getenv("POSETRACK_TOKEN");
    if (token != null) {
      builder.header("Authorization", "Bearer " + token);
    }
    builder.buildAsync(URI.create(url), new Printer(wanted, over)).join();
    over.await();
    System.exit(0);
  }

  private static final class Printer implements WebSocket.Listener {
    private final StringBuilder message = new StringBuilder();
    private final int wanted;
    private final CountDownLatch over;
    private int count = 0;

    Printer(int wanted, CountDownLatch over) {
      this.wanted = wanted;
      this.over = over;
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
      message.append(part);
      if (last && over.getCount() > 0) {
        show(message.toString());
        message.setLength(0);
        if (++count == wanted) {
          over.countDown();
        }
      }
      socket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int status, String reason) {
      over.countDown();
      return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
      System.err.println(error.getMessage());
      over.countDown();
    }

    private static void show(String text) {
      Matcher frame = FRAME.matcher(text);
      frame.find();
      var ids = ID.matcher(text).results().map(each -> each.group(1)).collect(Collectors.toList());
      System.out.println(
          "frame " + frame.group(1) + ": " + ids.size() + " people, ids " + String.join(" ", ids));
    }
  }
}
