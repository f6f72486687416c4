{{/* What every object of the installation is labelled with. Call: (list . "component") */}}
{{- define "qsched.labels" -}}
{{- $ := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
app.kubernetes.io/part-of: qsched
{{ include "qsched.selector" . }}
{{- end }}

{{/* What selects the pods of a component; it must never change, for a Deployment's selector cannot. */}}
{{- define "qsched.selector" -}}
app.kubernetes.io/name: qsched
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "qsched.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The scheduler of the cluster's own version, without what a provider appends to it (v1.36.3-gke.1). */}}
{{- define "qsched.schedulerImage" -}}
{{- $own := regexFind "^v[0-9]+\\.[0-9]+\\.[0-9]+" .Capabilities.KubeVersion.Version -}}
{{- with .Values.scheduler.image -}}
{{ .repository }}:{{ .tag | default $own }}
{{- end -}}
{{- end }}

{{/* The Pod Security standard `restricted`, and a root file system that nobody writes to. */}}
{{- define "qsched.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "qsched.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Replicas on different nodes, and in different zones, where there are any. Call: (list . "component") */}}
{{- define "qsched.spread" -}}
{{- range tuple "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels:
      {{- include "qsched.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{- define "qsched.placementOfPod" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* "yes" when an object that needs an API is to be made. Call: (list . "auto|always|never" "group/version/Kind") */}}
{{- define "qsched.wanted" -}}
{{- $ := index . 0 -}}
{{- $choice := index . 1 -}}
{{- if or (eq $choice "always") (and (eq $choice "auto") ($.Capabilities.APIVersions.Has (index . 2))) -}}
yes
{{- end -}}
{{- end }}

{{/* The Secret with the extender's certificates; empty for plain HTTP on loopback. */}}
{{- define "qsched.tlsSecret" -}}
{{- with .Values.extender.tls -}}
{{- if eq .source "cert-manager" -}}
qsched-extender-tls
{{- else if eq .source "secret" -}}
{{ required "extender.tls.secretName: name the Secret with tls.crt, tls.key and ca.crt" .secretName }}
{{- end -}}
{{- end -}}
{{- end }}
