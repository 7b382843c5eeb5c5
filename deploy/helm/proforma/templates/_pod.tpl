{{/*
A pod's parts that all have in common. They take root, service, role, own (the service's map, or the topics job's), and
command (the image's arguments).
*/}}

{{- define "proforma.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "proforma.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.podSecurity.runAsUser }}
runAsUser: {{ . }}
{{- end }}
{{- with .Values.podSecurity.fsGroup }}
fsGroup: {{ . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Where the pod runs, and as whom. */}}
{{- define "proforma.podBasics" -}}
automountServiceAccountToken: false
# Otherwise Kubernetes puts PROFORMA_…_PORT of every Service beside our own PROFORMA_… variables.
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "proforma.podSecurityContext" .root | nindent 2 }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "proforma.container" -}}
image: {{ include "proforma.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ toJson .command }}
securityContext:
  {{- include "proforma.securityContext" .root | nindent 2 }}
env:
  {{- include "proforma.env" . | nindent 2 }}
volumeMounts:
  {{- include "proforma.mounts" . | nindent 2 }}
{{- end }}

{{- define "proforma.env" -}}
{{- $values := .root.Values -}}
{{- if ne .role "topics" -}}
{{- include "proforma.serviceEnv" . }}
{{ end -}}
{{- include "proforma.kafkaEnv" . }}
# Two arenas are enough for one loop; more only hold memory that nobody uses.
- name: MALLOC_ARENA_MAX
  value: "2"
{{- range $name, $value := merge (dict) (.own.extraEnv | default dict) $values.extraEnv }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "proforma.serviceEnv" -}}
{{- $values := .root.Values -}}
{{- $database := .own.database -}}
- name: PROFORMA_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $database.existingSecret }}
      key: {{ $database.urlKey }}
{{- if eq .role "migrate" }}
- name: PROFORMA_MIGRATION_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $database.ownerExistingSecret }}
      key: {{ $database.ownerUrlKey }}
{{- end }}
- name: PROFORMA_AUTH_ISSUER
  value: {{ $values.auth.issuer | quote }}
- name: PROFORMA_AUTH_AUDIENCE
  value: {{ $values.auth.audience | quote }}
{{- if $values.auth.jwksUrl }}
- name: PROFORMA_AUTH_JWKS_URL
  value: {{ $values.auth.jwksUrl | quote }}
{{- else }}
- name: PROFORMA_AUTH_PUBLIC_KEY_FILE
  value: /etc/proforma/auth/public.pem
{{- end }}
- name: PROFORMA_HOST
  value: "0.0.0.0"
- name: PROFORMA_PORT
  value: "8000"
- name: PROFORMA_WORKER_PORT
  value: "8010"
- name: PROFORMA_LOG_LEVEL
  value: {{ $values.settings.logLevel }}
- name: PROFORMA_POOL_SIZE
  value: {{ $values.settings.poolSize | quote }}
- name: PROFORMA_STATEMENT_TIMEOUT_S
  value: {{ $values.settings.statementTimeoutSeconds | quote }}
- name: PROFORMA_LOCK_TIMEOUT_S
  value: {{ $values.settings.lockTimeoutSeconds | quote }}
- name: PROFORMA_SELF_APPROVAL
  value: {{ $values.settings.selfApproval | quote }}
{{- with $values.tracing.endpoint }}
- name: PROFORMA_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- range $name, $value := $values.settings.limits }}
- name: PROFORMA_LIMITS__{{ upper $name }}
  {{- /* Helm reads whole numbers as floats: from a million on they would be written as 1e+06. */}}
  value: {{ $value | int64 | quote }}
{{- end }}
{{- end }}

{{- define "proforma.kafkaEnv" -}}
{{- $kafka := .root.Values.kafka -}}
- name: PROFORMA_KAFKA
  value: {{ $kafka.bootstrap | quote }}
- name: PROFORMA_TOPIC_PREFIX
  value: {{ $kafka.topicPrefix | quote }}
- name: PROFORMA_KAFKA_SECURITY
  value: {{ $kafka.security }}
{{- if $kafka.tls.caSecret.name }}
- name: PROFORMA_KAFKA_CA_FILE
  value: /etc/proforma/kafka-ca/ca.crt
{{- end }}
{{- if include "proforma.clientSecret" . }}
- name: PROFORMA_KAFKA_CERT_FILE
  value: /etc/proforma/kafka-client/tls.crt
- name: PROFORMA_KAFKA_KEY_FILE
  value: /etc/proforma/kafka-client/tls.key
{{- end }}
{{- with include "proforma.saslSecret" . }}
- name: PROFORMA_KAFKA_SASL_MECHANISM
  value: {{ $kafka.sasl.mechanism }}
- name: PROFORMA_KAFKA_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $kafka.sasl.usernameKey }}
- name: PROFORMA_KAFKA_PASSWORD_FILE
  value: /etc/proforma/kafka-sasl/password
{{- end }}
{{- end }}

{{- define "proforma.saslSecret" -}}
{{- if hasPrefix "sasl_" .root.Values.kafka.security -}}
{{ .own.kafka.saslExistingSecret | default .root.Values.kafka.sasl.existingSecret }}
{{- end -}}
{{- end }}

{{- define "proforma.clientSecret" -}}
{{- if has .root.Values.kafka.security (list "tls" "sasl_tls") -}}
{{ .own.kafka.clientExistingSecret | default .root.Values.kafka.tls.clientSecret.name }}
{{- end -}}
{{- end }}

{{/* Secrets are mounted as folders, not as single files: so a renewed one arrives. As {"mounts": {folder: …}}. */}}
{{- define "proforma.secretFolders" -}}
{{- $values := .root.Values -}}
{{- $folders := dict -}}
{{- if and (ne .role "topics") (not $values.auth.jwksUrl) -}}
{{- $_ := set $folders "auth" (dict "secret" $values.auth.publicKey.existingSecret "items" (dict "public.pem" $values.auth.publicKey.key)) -}}
{{- end -}}
{{- if and (ne .role "topics") $values.postgres.caSecret.name -}}
{{- $_ := set $folders "postgres" (dict "secret" $values.postgres.caSecret.name "items" (dict "ca.crt" $values.postgres.caSecret.key)) -}}
{{- end -}}
{{- with $values.kafka.tls.caSecret.name -}}
{{- $_ := set $folders "kafka-ca" (dict "secret" . "items" (dict "ca.crt" $values.kafka.tls.caSecret.key)) -}}
{{- end -}}
{{- with include "proforma.clientSecret" . -}}
{{- $client := $values.kafka.tls.clientSecret -}}
{{- $_ := set $folders "kafka-client" (dict "secret" . "items" (dict "tls.crt" $client.certKey "tls.key" $client.keyKey)) -}}
{{- end -}}
{{- with include "proforma.saslSecret" . -}}
{{- $_ := set $folders "kafka-sasl" (dict "secret" . "items" (dict "password" $values.kafka.sasl.passwordKey)) -}}
{{- end -}}
{{- toJson $folders -}}
{{- end }}

{{- define "proforma.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- range $folder, $_ := include "proforma.secretFolders" . | fromJson }}
- name: {{ $folder }}
  mountPath: /etc/proforma/{{ $folder }}
  readOnly: true
{{- end }}
{{- end }}

{{- define "proforma.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .root.Values.tmpSizeLimit }}
{{- range $folder, $source := include "proforma.secretFolders" . | fromJson }}
- name: {{ $folder }}
  secret:
    secretName: {{ $source.secret }}
    {{- /* 0440: for the user by fsGroup, for nobody else. */}}
    defaultMode: 288
    items:
      {{- range $file, $key := $source.items }}
      - key: {{ $key }}
        path: {{ $file }}
      {{- end }}
{{- end }}
{{- end }}
