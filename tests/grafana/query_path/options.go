package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/data/sqlutil"
	"github.com/grafana/sqlds/v5"
)

// clickhouseDriver is a sqlds.Driver with the connection options of the plugin.
type clickhouseDriver struct{}

// connection has the options of a connection, under the names of the data source's jsonData. Numbers may be texts, as the plugin allows.
type connection struct {
	Host            string          `json:"host"`
	Port            json.RawMessage `json:"port"`
	Protocol        string          `json:"protocol"`
	Path            string          `json:"path"`
	Username        string          `json:"username"`
	DefaultDatabase string          `json:"defaultDatabase"`
	DialTimeout     json.RawMessage `json:"dialTimeout"`
	QueryTimeout    json.RawMessage `json:"queryTimeout"`
	EnableRowLimit  bool            `json:"enableRowLimit"`
	CustomSettings  []struct {
		Setting string `json:"setting"`
		Value   string `json:"value"`
	} `json:"customSettings"`
}

const (
	defaultDial  = 10
	defaultQuery = 60
)

func number(raw json.RawMessage, otherwise int) (int, error) {
	text := strings.Trim(string(raw), `"`)
	if text == "" || text == "null" {
		return otherwise, nil
	}
	return strconv.Atoi(text)
}

// Connect opens a connection as the plugin does: native with LZ4, HTTP with gzip.
func (clickhouseDriver) Connect(ctx context.Context, settings backend.DataSourceInstanceSettings, _ json.RawMessage) (*sql.DB, error) {
	var given connection
	if err := json.Unmarshal(settings.JSONData, &given); err != nil {
		return nil, fmt.Errorf("jsonData: %w", err)
	}
	port, err := number(given.Port, 0)
	if err != nil || given.Host == "" || port == 0 {
		return nil, fmt.Errorf("jsonData needs host and port, and has %q and %s", given.Host, given.Port)
	}
	dial, dialErr := number(given.DialTimeout, defaultDial)
	read, readErr := number(given.QueryTimeout, defaultQuery)
	if err := errors.Join(dialErr, readErr); err != nil {
		return nil, fmt.Errorf("jsonData: %w", err)
	}
	options := &clickhouse.Options{
		Addr:        []string{fmt.Sprintf("%s:%d", given.Host, port)},
		Auth:        clickhouse.Auth{Database: given.DefaultDatabase, Username: given.Username, Password: settings.DecryptedSecureJSONData["password"]},
		Protocol:    clickhouse.Native,
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
		HttpUrlPath: given.Path,
		DialTimeout: time.Duration(dial) * time.Second,
		ReadTimeout: time.Duration(read) * time.Second,
		Settings:    clickhouse.Settings{},
	}
	if given.Protocol == "http" {
		options.Protocol, options.Compression.Method = clickhouse.HTTP, clickhouse.CompressionGZIP
	}
	for _, each := range given.CustomSettings {
		options.Settings[each.Setting] = each.Value
	}
	database := clickhouse.OpenDB(options)
	if err := database.PingContext(ctx); err != nil {
		return nil, errors.Join(err, database.Close())
	}
	return database, nil
}

// Settings has the timeout of a query, and leaves gaps of a time series empty.
func (clickhouseDriver) Settings(_ context.Context, settings backend.DataSourceInstanceSettings) sqlds.DriverSettings {
	var given connection
	timeout := defaultQuery
	if json.Unmarshal(settings.JSONData, &given) == nil {
		if stated, err := number(given.QueryTimeout, defaultQuery); err == nil {
			timeout = stated
		}
	}
	return sqlds.DriverSettings{Timeout: time.Duration(timeout) * time.Second, FillMode: &data.FillMissing{Mode: data.FillModeNull}}
}

// MutateQuery tells the driver the dashboard's time zone, which the plugin's browser part adds to each query.
func (clickhouseDriver) MutateQuery(ctx context.Context, query backend.DataQuery) (context.Context, backend.DataQuery) {
	var model struct {
		Meta struct {
			TimeZone string `json:"timezone"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(query.JSON, &model); err != nil || model.Meta.TimeZone == "" {
		return ctx, query
	}
	location, err := time.LoadLocation(model.Meta.TimeZone)
	if err != nil {
		return ctx, query
	}
	return clickhouse.Context(ctx, clickhouse.WithUserLocation(location)), query
}

// MutateQueryError names ClickHouse as the source of what ClickHouse has refused.
func (clickhouseDriver) MutateQueryError(err error) backend.ErrorWithSource {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) || strings.Contains(err.Error(), "DB::Exception") || strings.Contains(err.Error(), "[HTTP 4") {
		return backend.NewErrorWithSource(err, backend.ErrorSourceDownstream)
	}
	return backend.NewErrorWithSource(err, backend.DefaultErrorSource)
}

// MutateResponse makes texts of JSON fields in all but tables, traces and logs.
func (clickhouseDriver) MutateResponse(_ context.Context, frames data.Frames) (data.Frames, error) {
	for _, frame := range frames {
		if frame.Meta != nil {
			switch frame.Meta.PreferredVisualization {
			case data.VisTypeTrace, data.VisTypeTable, data.VisTypeLogs:
				continue
			}
		}
		for place, field := range frame.Fields {
			if field.Type() != data.FieldTypeJSON {
				continue
			}
			texts := make([]*string, field.Len())
			for row := range texts {
				if raw, ok := field.At(row).(json.RawMessage); ok {
					text := string(raw)
					texts[row] = &text
				}
			}
			frame.Fields[place] = data.NewField(field.Name, field.Labels, texts)
		}
	}
	return frames, nil
}

// Macros are those of macros.go.
func (clickhouseDriver) Macros() sqlds.Macros { return macros }

// Converters are those of converters.go.
func (clickhouseDriver) Converters() []sqlutil.Converter { return converters }
