import org.codelibs.opensearch.runner.OpenSearchRunner;

/** Starts a node of OpenSearch. Arguments: HTTP_PORT FOLDER key=value.. */
public class OsServer {
  public static void main(String[] args) throws Throwable {
    OpenSearchRunner runner = new OpenSearchRunner();
    runner.setMaxHttpPort(-1);
    runner.onBuild((n, settings) -> {
      settings.put("http.port", args[0]);
      for (int i = 2; i < args.length; i++) {
        int at = args[i].indexOf('=');
        settings.put(args[i].substring(0, at), args[i].substring(at + 1));
      }
    });
    try {
      runner.build("-basePath", args[1], "-numOfNode", "1", "-clusterName", "t");
    } catch (Throwable t) {
      t.printStackTrace();
      System.exit(1);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try { runner.close(); } catch (Exception e) { e.printStackTrace(); }
    }));
    Thread.currentThread().join();
  }
}
