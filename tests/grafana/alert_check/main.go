// alert_check reads files that provision Grafana's alerting, and prints what Grafana would not take, one sentence a line.
//
// Each file is decoded strictly into the model that Grafana's own API publishes for such files, and validated by that model: an unknown key, a state or
// a type that does not exist is told. What the model leaves open is checked here, as Grafana's provisioning does: names, uids, durations, references.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"

	"github.com/go-openapi/strfmt"
	"github.com/grafana/grafana-openapi-client-go/models"
	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"
)

const (
	expression  = "__expr__"
	longestUID  = 40
	longestName = 190
)

var validUID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

type checker struct {
	path     string
	problems int
	uids     map[string]bool
	titles   map[string]bool
}

func (c *checker) tell(format string, given ...any) {
	c.problems++
	fmt.Printf("%s: %s\n", c.path, fmt.Sprintf(format, given...))
}

func (c *checker) file(path string) {
	c.path = path
	content, err := os.ReadFile(path)
	if err != nil {
		c.tell("%v", err)
		return
	}
	var written any
	if err := yaml.Unmarshal(content, &written); err != nil {
		c.tell("%v", err)
		return
	}
	asJSON, err := json.Marshal(written)
	if err != nil {
		c.tell("%v", err)
		return
	}
	strict := json.NewDecoder(bytes.NewReader(asJSON))
	strict.DisallowUnknownFields()
	var file models.AlertingFileExport
	if err := strict.Decode(&file); err != nil {
		c.tell("%v", err)
		return
	}
	if err := file.Validate(strfmt.Default); err != nil {
		c.tell("%v", err)
	}
	for _, group := range file.Groups {
		if group.Name == "" || len(group.Name) > longestName || group.Folder == "" || len(group.Rules) == 0 {
			c.tell("group %q has a name, a folder and rules", group.Name)
		}
		if interval, err := model.ParseDuration(group.Interval); err != nil || interval == 0 {
			c.tell("group %q: interval %q", group.Name, group.Interval)
		}
		for _, rule := range group.Rules {
			c.rule(group.Folder, rule)
		}
	}
	for _, point := range file.ContactPoints {
		if point.Name == "" || len(point.Receivers) == 0 {
			c.tell("contact point %q has a name and receivers", point.Name)
		}
		for _, receiver := range point.Receivers {
			c.uid(receiver.UID)
			if receiver.Type == "" || receiver.Settings == nil {
				c.tell("receiver %q has a type and settings", receiver.UID)
			}
		}
	}
}

func (c *checker) uid(uid string) {
	if !validUID.MatchString(uid) || len(uid) > longestUID {
		c.tell("uid %q has 1 to %d letters, digits, - or _", uid, longestUID)
	}
	if c.uids[uid] {
		c.tell("uid %q is there twice", uid)
	}
	c.uids[uid] = true
}

func (c *checker) rule(folder string, rule *models.AlertRuleExport) {
	c.uid(rule.UID)
	if rule.Title == "" || len(rule.Title) > longestName || c.titles[folder+"/"+rule.Title] {
		c.tell("rule %s: title %q is empty, too long or there twice", rule.UID, rule.Title)
	}
	c.titles[folder+"/"+rule.Title] = true
	if _, err := model.ParseDuration(rule.For); err != nil {
		c.tell("rule %s: for %q", rule.UID, rule.For)
	}
	known := map[string]bool{}
	for _, query := range rule.Data {
		said, isObject := query.Model.(map[string]any)
		if query.DatasourceUID == "" || !isObject || said["refId"] != query.RefID || known[query.RefID] {
			c.tell("rule %s, query %s: a data source, and a model with the same refId, once", rule.UID, query.RefID)
			continue
		}
		if query.DatasourceUID != expression && (query.RelativeTimeRange == nil || query.RelativeTimeRange.From <= query.RelativeTimeRange.To) {
			c.tell("rule %s, query %s: relativeTimeRange begins before it ends", rule.UID, query.RefID)
		}
		if query.DatasourceUID == expression {
			if before, isText := said["expression"].(string); !isText || !known[before] {
				c.tell("rule %s, expression %s is over %v, which is no query before it", rule.UID, query.RefID, said["expression"])
			}
		}
		known[query.RefID] = true
	}
	if !known[rule.Condition] {
		c.tell("rule %s: condition %q is none of its queries", rule.UID, rule.Condition)
	}
}

func main() {
	checked := &checker{uids: map[string]bool{}, titles: map[string]bool{}}
	for _, path := range os.Args[1:] {
		checked.file(path)
	}
	if checked.problems > 0 {
		os.Exit(1)
	}
}
