//go:build ignore

// Golden writes the extender's wire format as Go itself does, and reads answers as the scheduler does.
//
//	golden write FOLDER   one file a case
//	golden read           from standard input {"name": {"kind": "filter", "answer": ...}}: each answer decoded
//	                      as its type, unknown fields refused, and encoded again, under the same name
//
// It is built in the module that pins the version of Kubernetes:
//
//	cd tests/kubernetes/rig/tools/kubernetes
//	go run ../../../../contract/extender/golden.go write ../../../../contract/extender
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	extender "k8s.io/kube-scheduler/extender/v1"
)

func pod(name, uid string) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "lab", UID: types.UID(uid),
			Labels:      map[string]string{"qsched.io/job-uid": "4c1f"},
			Annotations: map[string]string{"qsched.io/job": "bell", "note": "<a> & \"b\" \u2028 é"},
		},
		Spec: v1.PodSpec{
			SchedulerName: "qsched-scheduler",
			Containers: []v1.Container{{Name: "main", Image: "busybox", Resources: v1.ResourceRequirements{
				Requests: v1.ResourceList{"qsched.io/qpu": resource.MustParse("1")},
				Limits:   v1.ResourceList{"qsched.io/qpu": resource.MustParse("1")},
			}}},
		},
	}
}

func node(name, zone string) v1.Node {
	return v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"topology.kubernetes.io/zone": zone}},
		Spec:       v1.NodeSpec{Taints: []v1.Taint{{Key: "qsched.io/backend", Value: "heron", Effect: v1.TaintEffectNoSchedule}}},
		Status:     v1.NodeStatus{Allocatable: v1.ResourceList{"cpu": resource.MustParse("4")}},
	}
}

func cases() map[string]any {
	names, none := []string{"n1", "n2"}, []string{}
	nodes := &v1.NodeList{Items: []v1.Node{node("n1", "eu-1a"), {ObjectMeta: metav1.ObjectMeta{Name: "n2"}}}}
	failed := extender.FailedNodesMap{"n3": "node(s) <too> far"}
	victims := &extender.Victims{Pods: []*v1.Pod{pod("low", "u-1"), pod("lower", "u-2")}, NumPDBViolations: 1}
	meta := &extender.MetaVictims{Pods: []*extender.MetaPod{{UID: "u-1"}, {UID: "u-2"}}, NumPDBViolations: 1}
	return map[string]any{
		"args-names":       extender.ExtenderArgs{Pod: pod("p", "u-0"), NodeNames: &names},
		"args-names-empty": extender.ExtenderArgs{Pod: pod("p", "u-0"), NodeNames: &none},
		"args-nodes":       extender.ExtenderArgs{Pod: pod("p", "u-0"), Nodes: nodes},
		"args-nodes-empty": extender.ExtenderArgs{Pod: pod("p", "u-0"), Nodes: &v1.NodeList{}},
		"args-bare-pod":    extender.ExtenderArgs{Pod: &v1.Pod{}, NodeNames: &names},
		"args-null":        extender.ExtenderArgs{},

		"preempt-meta": extender.ExtenderPreemptionArgs{
			Pod: pod("p", "u-0"), NodeNameToMetaVictims: map[string]*extender.MetaVictims{"n1": meta, "n2": {}, "n3": nil}},
		"preempt-whole": extender.ExtenderPreemptionArgs{
			Pod: pod("p", "u-0"), NodeNameToVictims: map[string]*extender.Victims{"n1": victims, "n2": {}, "n3": nil}},
		"preempt-empty": extender.ExtenderPreemptionArgs{
			Pod: pod("p", "u-0"), NodeNameToMetaVictims: map[string]*extender.MetaVictims{}},
		"preempt-null": extender.ExtenderPreemptionArgs{},

		"filter-names":  extender.ExtenderFilterResult{NodeNames: &names},
		"filter-nodes":  extender.ExtenderFilterResult{Nodes: nodes},
		"filter-failed": extender.ExtenderFilterResult{NodeNames: &none, FailedAndUnresolvableNodes: failed},
		"filter-error":  extender.ExtenderFilterResult{Error: "not yet"},

		"priorities":       extender.HostPriorityList{{Host: "n1", Score: 10}, {Host: "n2"}},
		"priorities-empty": extender.HostPriorityList{},

		"victims": extender.ExtenderPreemptionResult{NodeNameToMetaVictims: map[string]*extender.MetaVictims{"n1": meta}},
		"victims-empty": extender.ExtenderPreemptionResult{
			NodeNameToMetaVictims: map[string]*extender.MetaVictims{}},
	}
}

type answer struct {
	Kind   string
	Answer json.RawMessage
}

func read() (map[string]any, error) {
	given := map[string]answer{}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		return nil, err
	}
	found := map[string]any{}
	for name, each := range given {
		into := map[string]any{
			"filter": &extender.ExtenderFilterResult{}, "prioritize": &extender.HostPriorityList{},
			"preempt": &extender.ExtenderPreemptionResult{},
		}[each.Kind]
		decoder := json.NewDecoder(bytes.NewReader(each.Answer))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(into); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found[name] = into
	}
	return found, nil
}

func run() error {
	if len(os.Args) == 2 && os.Args[1] == "read" {
		found, err := read()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(found)
	}
	if len(os.Args) != 3 || os.Args[1] != "write" {
		return fmt.Errorf("usage: golden write FOLDER | golden read")
	}
	for name, each := range cases() {
		text, err := json.Marshal(each)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(os.Args[2], name+".json"), append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
