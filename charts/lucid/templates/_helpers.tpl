{{- define "lucid.name" -}}
{{- if contains "lucid" .Release.Name }}{{ printf "%s-operator" .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-lucid-operator" .Release.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "lucid.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "lucid.name" .) }}
{{- end }}

{{- define "lucid.selector" -}}
app.kubernetes.io/name: lucid
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "lucid.labels" -}}
{{ include "lucid.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "lucid.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}
