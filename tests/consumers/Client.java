// SPDX-License-Identifier: Apache-2.0
// Client ADDRESS PORT TIMES: fetches the page, on a new connection each time, and prints it. Every other
// time with java.net.http, which does not block, the others with a blocking socket.
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;

class Client {
  static String fetchWithHttpClient(String address, int port) throws IOException, InterruptedException {
    var request = HttpRequest.newBuilder(URI.create("http://" + address + ":" + port + "/")).build();
    var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    return client.send(request, HttpResponse.BodyHandlers.ofString()).body();
  }

  static String fetchWithSocket(String address, int port) throws IOException {
    try (var socket = new Socket()) {
      var dialled = new InetSocketAddress(address, port);
      socket.connect(dialled, 5000);
      if (!dialled.equals(socket.getRemoteSocketAddress()))
        throw new IOException("the peer is " + socket.getRemoteSocketAddress());
      socket.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      var answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
      return answer.substring(answer.indexOf("\r\n\r\n") + 4);
    }
  }

  public static void main(String[] words) throws Exception {
    int port = Integer.parseInt(words[1]);
    for (int i = 0; i < Integer.parseInt(words[2]); ++i)
      System.out.print(i % 2 == 0 ? fetchWithHttpClient(words[0], port) : fetchWithSocket(words[0], port));
  }
}
