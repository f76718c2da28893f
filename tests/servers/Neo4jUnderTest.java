import java.nio.file.Path;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;
import org.neo4j.io.ByteUnit;

/** A Neo4j for tests: `java -cp 'lib/*' Neo4jUnderTest.java HOME PORT`; it ends when its input does. */
public class Neo4jUnderTest {
    public static void main(String[] words) throws Exception {
        DatabaseManagementService service = new DatabaseManagementServiceBuilder(Path.of(words[0]))
            .setConfig(BoltConnector.enabled, true)
            .setConfig(BoltConnector.listen_address, new SocketAddress("127.0.0.1", Integer.parseInt(words[1])))
            .setConfig(GraphDatabaseSettings.auth_enabled, true)
            .setConfig(GraphDatabaseSettings.pagecache_memory, ByteUnit.mebiBytes(128))
            .build();
        System.out.println("ready");
        System.out.flush();
        while (System.in.read() >= 0) {
            // Whoever started us holds the other end: when it dies, so do we.
        }
        service.shutdown();
    }
}
