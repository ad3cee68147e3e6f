package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data/sqlutil"
	"github.com/grafana/sqlds/v5"
)

// macros are the plugin's macros of one expression, as its documentation lists them. In a text {1} and {2} are the macro's arguments, {from} and {to} the
// time range in seconds, {from_ms} and {to_ms} in milliseconds, {from_day} and {to_day} its days, {step} and {step_ms} the interval.
var macros = sqlds.Macros{
	"fromTime":        expands(0, "toDateTime({from})"),
	"toTime":          expands(0, "toDateTime({to})"),
	"fromTime_ms":     expands(0, "fromUnixTimestamp64Milli({from_ms})"),
	"toTime_ms":       expands(0, "fromUnixTimestamp64Milli({to_ms})"),
	"timeFilter":      expands(1, "{1} >= toDateTime({from}) AND {1} <= toDateTime({to})"),
	"timeFilter_ms":   expands(1, "{1} >= fromUnixTimestamp64Milli({from_ms}) AND {1} <= fromUnixTimestamp64Milli({to_ms})"),
	"timeFrom":        expands(1, "{1} >= toDateTime({from})"),
	"timeTo":          expands(1, "{1} <= toDateTime({to})"),
	"dateFilter":      expands(1, "{1} >= toDate('{from_day}') AND {1} <= toDate('{to_day}')"),
	"dateTimeFilter":  dateTime,
	"dt":              dateTime,
	"timeInterval":    expands(1, "toStartOfInterval(toDateTime({1}), INTERVAL {step} second)"),
	"timeInterval_ms": expands(1, "toStartOfInterval(toDateTime64({1}, 3), INTERVAL {step_ms} millisecond)"),
	"interval_s":      expands(0, "{step}"),
	"timeGroup":       timeGroup,
}

var dateTime = expands(2, "({1} >= toDate('{from_day}') AND {1} <= toDate('{to_day}')) AND ({2} >= toDateTime({from}) AND {2} <= toDateTime({to}))")

func expands(arguments int, text string) sqlutil.MacroFunc {
	return func(query *sqlutil.Query, given []string) (string, error) {
		if arguments > 0 && len(given) != arguments {
			return "", fmt.Errorf("%w: %d are needed, %d are given", sqlutil.ErrorBadArgumentCount, arguments, len(given))
		}
		from, to := query.TimeRange.From.UTC(), query.TimeRange.To.UTC()
		known := []string{
			"{from}", fmt.Sprint(from.Unix()), "{to}", fmt.Sprint(to.Unix()),
			"{from_ms}", fmt.Sprint(from.UnixMilli()), "{to_ms}", fmt.Sprint(to.UnixMilli()),
			"{from_day}", from.Format(time.DateOnly), "{to_day}", to.Format(time.DateOnly),
			"{step}", fmt.Sprint(max(int64(query.Interval.Seconds()), 1)), "{step_ms}", fmt.Sprint(max(query.Interval.Milliseconds(), 1)),
		}
		for place, argument := range given {
			known = append(known, fmt.Sprintf("{%d}", place+1), argument)
		}
		return strings.NewReplacer(known...).Replace(text), nil
	}
}

func timeGroup(_ *sqlutil.Query, given []string) (string, error) {
	if len(given) != 2 {
		return "", fmt.Errorf("%w: 2 are needed, %d are given", sqlutil.ErrorBadArgumentCount, len(given))
	}
	step, err := time.ParseDuration(strings.Trim(strings.TrimSpace(given[1]), `'"`))
	if err != nil || step < time.Second {
		return "", fmt.Errorf("$__timeGroup: %q is no interval", given[1])
	}
	return fmt.Sprintf("toStartOfInterval(toDateTime(%s), INTERVAL %d second)", strings.TrimSpace(given[0]), int64(step.Seconds())), nil
}
