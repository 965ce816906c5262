// Renders a Helm chart's templates as Helm does it: Go's text/template, sprig's functions without the ones that read the environment, Helm's
// own toYaml, and its built-in objects. Not Helm: no subcharts, no hooks, no schema. stdin: {"files": {name: text}, "values": …, "release": …,
// "chart": …, "versions": […]}; stdout: {name: text}.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type versions []string

// Has tells whether the cluster serves a group's version, as Helm's .Capabilities.APIVersions.Has.
func (all versions) Has(wanted string) bool {
	for _, one := range all {
		if one == wanted {
			return true
		}
	}
	return false
}

type asked struct {
	Files                  map[string]string
	Values, Release, Chart map[string]interface{}
	Versions               versions
}

func toYaml(value interface{}) string {
	text, err := yaml.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

func main() {
	var wanted asked
	if err := json.NewDecoder(os.Stdin).Decode(&wanted); err != nil {
		panic(err)
	}
	functions := sprig.TxtFuncMap()
	delete(functions, "env")
	delete(functions, "expandenv")
	functions["toYaml"] = toYaml
	built_in := map[string]interface{}{
		"Values": wanted.Values, "Release": wanted.Release, "Chart": wanted.Chart,
		"Capabilities": map[string]interface{}{"APIVersions": wanted.Versions},
	}
	rendered := map[string]string{}
	for name, text := range wanted.Files {
		parsed, err := template.New(name).Funcs(functions).Option("missingkey=zero").Parse(text)
		if err != nil {
			panic(err)
		}
		var made strings.Builder
		if err := parsed.Execute(&made, built_in); err != nil {
			panic(err)
		}
		rendered[name] = made.String()
	}
	if err := json.NewEncoder(os.Stdout).Encode(rendered); err != nil {
		panic(err)
	}
}
