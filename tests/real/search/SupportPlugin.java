package esbk;
import java.util.*; import java.util.function.*; import java.util.regex.Pattern;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.analysis.*;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.*;
import org.elasticsearch.rest.*;
/** In place of two modules that are not on Maven Central: GET / (rest-root), and the two analysis parts that the index .security maps. */
public class SupportPlugin extends Plugin implements ActionPlugin, AnalysisPlugin {
  static class F extends AbstractTokenFilterFactory {
    final Function<TokenStream, TokenStream> f;
    F(String n, Function<TokenStream, TokenStream> f) { super(n, org.elasticsearch.common.settings.Settings.EMPTY); this.f = f; }
    @Override public TokenStream create(TokenStream t) { return f.apply(t); }
  }
  @Override public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
    return Map.of("pattern_capture", (i, e, n, s) -> {
        Pattern[] ps = s.getAsList("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
        boolean keep = s.getAsBoolean("preserve_original", true);
        return new F(n, t -> new PatternCaptureGroupTokenFilter(t, keep, ps)); },
      "unique", (i, e, n, s) -> new F(n, t -> t));
  }
  @Override public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
    return Map.of("uax_url_email", (i, e, n, s) -> TokenizerFactory.newFactory(n, UAX29URLEmailTokenizer::new));
  }
  @Override public Collection<RestHandler> getRestHandlers(org.elasticsearch.common.settings.Settings sv, org.elasticsearch.common.io.stream.NamedWriteableRegistry r0, RestController r1, org.elasticsearch.common.settings.ClusterSettings r2, org.elasticsearch.common.settings.IndexScopedSettings r3, org.elasticsearch.common.settings.SettingsFilter r4, org.elasticsearch.cluster.metadata.IndexNameExpressionResolver r5, Supplier<DiscoveryNodes> n, Predicate<NodeFeature> p) {
    return List.of(new BaseRestHandler() {
      @Override public String getName() { return "main_action"; }
      @Override public List<Route> routes() { return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/")); }
      @Override protected RestChannelConsumer prepareRequest(RestRequest r, NodeClient c) {
        return ch -> { var b = ch.newBuilder(); Build u = Build.current();
          b.startObject().field("name", sv.get("node.name")).field("cluster_name", sv.get("cluster.name"));
          b.startObject("version").field("number", u.qualifiedVersion()).field("build_flavor", u.flavor()).field("build_type", u.type().displayName()).field("build_hash", u.hash()).endObject();
          b.field("tagline", "You Know, for Search").endObject(); ch.sendResponse(new RestResponse(RestStatus.OK, b)); };
      }
    });
  }
}
