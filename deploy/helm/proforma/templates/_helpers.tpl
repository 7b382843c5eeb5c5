{{- define "proforma.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 36 | trimSuffix "-" -}}
{{- else if contains "proforma" .Release.Name -}}
{{- .Release.Name | trunc 36 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-proforma" .Release.Name | trunc 36 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "proforma.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* What selects the pods of the release: the chart's own labels, which never change. */}}
{{- define "proforma.selector" -}}
app.kubernetes.io/name: proforma
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "proforma.labels" -}}
{{ include "proforma.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: proforma
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of one part, such as the worker of invoicing. Takes root, service, role. */}}
{{- define "proforma.partSelector" -}}
{{ include "proforma.selector" .root }}
proforma/service: {{ .service }}
proforma/role: {{ .role }}
{{- end }}

{{- define "proforma.partLabels" -}}
{{ include "proforma.labels" .root }}
proforma/service: {{ .service }}
proforma/role: {{ .role }}
{{- end }}

{{- define "proforma.partName" -}}
{{ include "proforma.fullname" .root }}-{{ .service }}-{{ .role }}
{{- end }}

{{- define "proforma.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "proforma.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{/* What a service's worker reads; a test compares it with the code. As `{"topics": [...]}`. */}}
{{- define "proforma.consumes" -}}
{{- $topics := dict
  "time-expense" (list "billing-backlog.answers")
  "billing-backlog" (list "time-expense.entries" "invoicing.invoices" "scheduler.triggers")
  "invoicing" (list "billing-backlog.claims" "billing-backlog.answers")
  "scheduler" (list "billing-backlog.contracts")
-}}
topics: {{ index $topics . | toJson }}
{{- end }}

{{- define "proforma.spread" -}}
{{- range .root.Values.topologySpread }}
- topologyKey: {{ .topologyKey }}
  maxSkew: {{ .maxSkew }}
  whenUnsatisfiable: {{ .whenUnsatisfiable }}
  labelSelector:
    matchLabels:
      {{- include "proforma.partSelector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{/* Stops what could be installed but not run, with what to set. */}}
{{- define "proforma.validate" -}}
{{- $kafka := .Values.kafka }}
{{- $sasl := hasPrefix "sasl_" $kafka.security }}
{{- $tls := has $kafka.security (list "tls" "sasl_tls") }}
{{- if and (not .Values.auth.jwksUrl) (not .Values.auth.publicKey.existingSecret) }}
{{- fail "set auth.jwksUrl or auth.publicKey.existingSecret: no service starts without auth" }}
{{- end }}
{{- range $service, $own := .Values.services }}
{{- if and $own.enabled $sasl (not (or $own.kafka.saslExistingSecret $kafka.sasl.existingSecret)) }}
{{- fail (printf "kafka.security is %s: set kafka.sasl.existingSecret or services.%s.kafka.saslExistingSecret" $kafka.security $service) }}
{{- end }}
{{- if and $own.kafka.clientExistingSecret (not $tls) }}
{{- fail (printf "services.%s.kafka.clientExistingSecret needs kafka.security tls or sasl_tls" $service) }}
{{- end }}
{{- end }}
{{- if and .Values.topics.enabled $sasl (not (or .Values.topics.kafka.saslExistingSecret $kafka.sasl.existingSecret)) }}
{{- fail (printf "kafka.security is %s: set kafka.sasl.existingSecret or topics.kafka.saslExistingSecret" $kafka.security) }}
{{- end }}
{{- if and (or $kafka.tls.caSecret.name $kafka.tls.clientSecret.name) (not $tls) }}
{{- fail "kafka.tls is set, but kafka.security is neither tls nor sasl_tls" }}
{{- end }}
{{- end }}
