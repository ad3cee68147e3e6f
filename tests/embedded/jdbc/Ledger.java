import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Timestamp;

/** What a BI tool asks of a database through JDBC: its version, its tables, their columns, and a query with parameters. */
public class Ledger {
    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0])) {
            DatabaseMetaData about = connection.getMetaData();
            System.out.println(about.getDatabaseProductName() + " " + about.getDatabaseProductVersion());
            try (ResultSet tables = about.getTables(null, "tokentrail", "usage%", new String[] {"VIEW"})) {
                while (tables.next()) {
                    System.out.println("view " + tables.getString("TABLE_NAME"));
                }
            }
            try (ResultSet columns = about.getColumns(null, "tokentrail", "usage_cost", "%")) {
                while (columns.next()) {
                    System.out.println("column " + columns.getString("COLUMN_NAME") + " " + columns.getInt("DATA_TYPE"));
                }
            }
            String asked = "SELECT provider, sum(calls), sum(cost) FROM usage_cost WHERE tenant_id = ? AND ts >= ? GROUP BY provider ORDER BY provider";
            try (PreparedStatement statement = connection.prepareStatement(asked)) {
                statement.setString(1, "acme");
                statement.setTimestamp(2, Timestamp.valueOf("2026-09-01 00:00:00"));
                try (ResultSet rows = statement.executeQuery()) {
                    while (rows.next()) {
                        System.out.println("row " + rows.getString(1) + " " + rows.getLong(2) + " " + rows.getBigDecimal(3));
                    }
                }
            }
        }
    }
}
