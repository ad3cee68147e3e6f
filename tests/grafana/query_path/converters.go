package main

import (
	"encoding/json"
	"reflect"
	"regexp"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/data/sqlutil"
	"github.com/shopspring/decimal"
)

// converters make fields of ClickHouse's types. Plain numbers, texts, booleans and times need none.
var converters = []sqlutil.Converter{
	converter(`^(Array|Map|Tuple|Nested|JSON|Variant|Dynamic)\b`, data.FieldTypeJSON, func(value any) (any, error) {
		text, err := json.Marshal(value)
		return json.RawMessage(text), err
	}),
	optional[string](`String|FixedString|Enum8|Enum16`),
	optional[time.Time](`Date|Date32|DateTime|DateTime64`),
	optional[bool](`Bool`),
	optional[int8](`Int8`), optional[int16](`Int16`), optional[int32](`Int32`), optional[int64](`Int64`),
	optional[uint8](`UInt8`), optional[uint16](`UInt16`), optional[uint32](`UInt32`), optional[uint64](`UInt64`),
	optional[float32](`Float32`), optional[float64](`Float64`),
	converter(`^Decimal`, data.FieldTypeFloat64, func(value decimal.Decimal) (any, error) { return value.InexactFloat64(), nil }),
	converter(`^Nullable\(Decimal`, data.FieldTypeNullableFloat64, func(value *decimal.Decimal) (any, error) {
		if value == nil {
			return (*float64)(nil), nil
		}
		number := value.InexactFloat64()
		return &number, nil
	}),
}

// converter makes fields of one kind from columns whose type fits a pattern, and whose values the driver scans into a T.
func converter[T any](pattern string, kind data.FieldType, convert func(T) (any, error)) sqlutil.Converter {
	return sqlutil.Converter{
		Name: pattern, InputTypeName: pattern, InputTypeRegex: regexp.MustCompile(pattern), InputScanType: reflect.TypeFor[*T](),
		FrameConverter: sqlutil.FrameConverter{FieldType: kind, ConverterFunc: func(scanned any) (any, error) { return convert(*scanned.(*T)) }},
	}
}

// optional makes fields of Nullable columns; a copy, since the driver may use its value again.
func optional[T any](types string) sqlutil.Converter {
	pattern := `^(LowCardinality\()?Nullable\((` + types + `)\b`
	return converter(pattern, data.FieldTypeFor(new(T)), func(value *T) (any, error) {
		if value == nil {
			return value, nil
		}
		copied := *value
		return &copied, nil
	})
}
