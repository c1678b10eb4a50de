import java.nio.file.*;
import java.util.*;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.*;
import org.elasticsearch.plugins.*;

/** Starts a node of Elasticsearch. Arguments: HOME key=value..; these settings override those of HOME/config. */
public class EsServer {
  @SuppressWarnings("unchecked")
  static Set<PluginBundle> bundles(String name, Path dir) throws Exception {
    // Version 9 has a second parameter.
    for (var method : PluginsLoader.class.getMethods())
      if (method.getName().equals(name))
        return (Set<PluginBundle>) (method.getParameterCount() == 2 ? method.invoke(null, dir, false) : method.invoke(null, dir));
    throw new IllegalStateException(name);
  }

  public static void main(String[] args) {
    Path home = Path.of(args[0]).toAbsolutePath();
    Map<String, String> settings = new HashMap<>();
    for (int i = 1; i < args.length; i++) {
      int at = args[i].indexOf('=');
      settings.put(args[i].substring(0, at), args[i].substring(at + 1));
    }
    LogConfigurator.configureESLogging();
    try {
      var environment = InternalSettingsPreparer.prepareEnvironment(
          Settings.builder().put("path.home", home.toString()).build(), settings, home.resolve("config"), () -> "n1");
      LogConfigurator.registerErrorListener();
      LogConfigurator.setNodeName("n1");
      LogConfigurator.configure(environment, true);
      Node node = new Node(environment, PluginsLoader.createPluginsLoader(
          bundles("loadModulesBundles", home.resolve("modules")), bundles("loadPluginsBundles", home.resolve("plugins")), Map.of()));
      Runtime.getRuntime().addShutdownHook(new Thread(() -> {
        try { node.close(); } catch (Exception e) { e.printStackTrace(); }
      }));
      node.start();
      Thread.currentThread().join();
    } catch (Throwable t) {
      t.printStackTrace();
      System.exit(1);
    }
  }
}
