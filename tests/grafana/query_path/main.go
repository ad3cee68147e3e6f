// query_path answers queries as the backend of Grafana's ClickHouse data source does, without a Grafana server.
//
// The layers are the plugin's own: the plugin SDK (QueryData, CheckHealth, frames), sqlds (formats, long to wide, errors) and clickhouse-go, at the
// versions that plugin 4.20.0 is built with. The plugin's thin layer over them is no public Go module; options.go, macros.go and converters.go take its place.
//
// One JSON request a line on standard input, one JSON answer a line on standard output:
//
//	{"health": true}                                                        -> {"status": "OK", "message": "…"}
//	{"rawSql": "…", "format": 0, "from": ms, "to": ms, "intervalMs": 60000, "timeZone": "UTC"} -> {"frames": […], "error": "", "source": ""}
//
// Macros of the backend are expanded here; variables, which only the browser knows, have to be expanded before.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/sqlds/v5"
)

const longestLine = 64 << 20

type request struct {
	Health        bool   `json:"health"`
	RawSQL        string `json:"rawSql"`
	Format        int    `json:"format"`
	From          int64  `json:"from"`
	To            int64  `json:"to"`
	IntervalMs    int64  `json:"intervalMs"`
	MaxDataPoints int64  `json:"maxDataPoints"`
	TimeZone      string `json:"timeZone"`
}

type answer struct {
	Status  string      `json:"status,omitempty"`
	Message string      `json:"message,omitempty"`
	Frames  data.Frames `json:"frames"`
	Error   string      `json:"error"`
	Source  string      `json:"source"`
}

func main() {
	options := flag.String("options", "{}", "the data source's jsonData")
	flag.Parse()
	settings := backend.DataSourceInstanceSettings{
		UID: "tokentrail", Name: "tokentrail", Type: "grafana-clickhouse-datasource", JSONData: []byte(*options),
		DecryptedSecureJSONData: map[string]string{"password": os.Getenv("QUERY_PATH_PASSWORD")},
	}
	ctx := context.Background()
	instance, err := sqlds.NewDatasource(clickhouseDriver{}).NewDatasource(ctx, settings)
	if err != nil {
		log.Fatalf("the data source does not connect: %v", err)
	}
	source, ok := instance.(*sqlds.SQLDatasource)
	if !ok {
		log.Fatalf("%T is no data source of sqlds", instance)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	answers := json.NewEncoder(os.Stdout)
	answers.SetEscapeHTML(false)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatalf("a request is no JSON: %v", err)
		}
		given := query
		if asked.Health {
			given = health
		}
		if err := answers.Encode(given(ctx, source, settings, asked)); err != nil {
			log.Fatalf("an answer is not written: %v", err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

// health is what "Save & test" of the data source's page does.
func health(ctx context.Context, source *sqlds.SQLDatasource, settings backend.DataSourceInstanceSettings, _ request) answer {
	plugin := backend.PluginContext{DataSourceInstanceSettings: &settings}
	result, err := source.CheckHealth(ctx, &backend.CheckHealthRequest{PluginContext: plugin})
	if err != nil {
		return answer{Status: "ERROR", Error: err.Error()}
	}
	return answer{Status: result.Status.String(), Message: result.Message}
}

// query is what a panel, a variable or an alert rule does with one target.
func query(ctx context.Context, source *sqlds.SQLDatasource, settings backend.DataSourceInstanceSettings, asked request) answer {
	meta := map[string]any{"timezone": asked.TimeZone}
	model, err := json.Marshal(map[string]any{"refId": "A", "rawSql": asked.RawSQL, "format": asked.Format, "meta": meta})
	if err != nil {
		return answer{Error: err.Error()}
	}
	response, err := source.QueryData(ctx, &backend.QueryDataRequest{
		PluginContext: backend.PluginContext{DataSourceInstanceSettings: &settings},
		Queries: []backend.DataQuery{{
			RefID: "A", JSON: model, MaxDataPoints: asked.MaxDataPoints, Interval: time.Duration(asked.IntervalMs) * time.Millisecond,
			TimeRange: backend.TimeRange{From: time.UnixMilli(asked.From).UTC(), To: time.UnixMilli(asked.To).UTC()},
		}},
	})
	if err != nil {
		return answer{Error: err.Error()}
	}
	one := response.Responses["A"]
	if one.Error != nil {
		return answer{Frames: one.Frames, Error: one.Error.Error(), Source: string(one.ErrorSource)}
	}
	return answer{Frames: one.Frames}
}
