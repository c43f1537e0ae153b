{{- define "kdns.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kdns.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $found := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- default $found .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kdns.app" -}}
{{ default .Chart.Name .Values.k8sAppLabelOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kdns.deployment" -}}
{{ default (include "kdns.fullname" .) .Values.deployment.name }}
{{- end }}

{{- define "kdns.account" -}}
{{- $own := .Values.serviceAccount.create | ternary (include "kdns.fullname" .) "default" }}
{{- default $own .Values.serviceAccount.name }}
{{- end }}

{{- define "kdns.role" -}}
{{ default (include "kdns.fullname" .) .Values.clusterRole.nameOverride }}
{{- end }}

{{- /* What the pods have and selectors look for. */}}
{{- define "kdns.selector" -}}
app.kubernetes.io/name: {{ include "kdns.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- if .Values.isClusterService }}
k8s-app: {{ include "kdns.app" . }}
{{- end }}
{{- end }}

{{- define "kdns.labels" -}}
{{ include "kdns.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- if .Values.isClusterService }}
kubernetes.io/cluster-service: "true"
kubernetes.io/name: CoreDNS
{{- end }}
{{- with .Values.customLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* The same for the autoscaler. */}}
{{- define "kdns.autoscaler.selector" -}}
app.kubernetes.io/name: {{ include "kdns.name" . }}-autoscaler
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "kdns.autoscaler.labels" -}}
{{ include "kdns.autoscaler.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- with .Values.customLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* In metadata, annotations of the map given and of customAnnotations, or nothing. */}}
{{- define "kdns.annotations" -}}
{{- $all := merge (dict) (deepCopy (default (dict) .own)) (deepCopy (default (dict) .root.Values.customAnnotations)) }}
{{- with $all }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}

{{- /* The ports of the server blocks: a JSON list of number, service, name, protocol, nodePort and hostPort. */}}
{{- define "kdns.ports" -}}
{{- $found := list }}
{{- $seen := dict }}
{{- range $server := .Values.servers }}
  {{- $port := int (default 53 $server.port) }}
  {{- $service := int (default $port $server.servicePort) }}
  {{- $protocols := dict }}
  {{- range $zone := default (list (dict)) $server.zones }}
    {{- if has (default "dns://" $zone.scheme) (list "tls://" "https://" "grpc://") }}
      {{- $_ := set $protocols "TCP" true }}
    {{- else }}
      {{- $_ := set $protocols "UDP" true }}
      {{- if $zone.use_tcp }}{{ $_ := set $protocols "TCP" true }}{{ end }}
    {{- end }}
  {{- end }}
  {{- range $protocol := keys $protocols | sortAlpha | reverse }}
    {{- $key := printf "%d/%s" $port $protocol }}
    {{- if not (hasKey $seen $key) }}
      {{- $_ := set $seen $key true }}
      {{- $name := printf "%s-%d" (lower $protocol) $port }}
      {{- if eq $service 53 }}{{ $name = eq $protocol "UDP" | ternary "dns" "dns-tcp" }}{{ end }}
      {{- $each := dict "number" $port "service" $service "protocol" $protocol "name" $name }}
      {{- with $server.nodePort }}{{ $_ := set $each "nodePort" (int .) }}{{ end }}
      {{- with $server.hostPort }}{{ $_ := set $each "hostPort" (int .) }}{{ end }}
      {{- $found = append $found $each }}
    {{- end }}
  {{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{- /* The port of a plugin's page, the last number of its first address: of name, with a default. */}}
{{- define "kdns.page" -}}
{{- $port := .otherwise }}
{{- range $server := .root.Values.servers }}
  {{- range $server.plugins }}
    {{- if eq .name $.name }}
      {{- with regexFind ":[0-9]+$" (toString (default "" .parameters)) }}{{ $port = trimPrefix ":" . | int }}{{ end }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $port }}
{{- end }}

{{- /* The container's security context; a port below 1024 needs a capability, which a values file may have left to defaults. */}}
{{- define "kdns.securityContext" -}}
{{- $context := deepCopy (default (dict) .Values.securityContext) }}
{{- $low := false }}
{{- range include "kdns.ports" . | fromJsonArray }}{{ if lt (int .number) 1024 }}{{ $low = true }}{{ end }}{{ end }}
{{- $capabilities := default (dict) $context.capabilities }}
{{- if and $low (not $capabilities.add) }}
  {{- $_ := set $context "capabilities" (merge (dict "add" (list "NET_BIND_SERVICE")) $capabilities) }}
{{- end }}
{{- toYaml $context }}
{{- end }}

{{- define "kdns.corefile" -}}
{{- range $name, $line := .Values.extraConfig }}
{{ $name }}{{ with $line.parameters }} {{ . }}{{ end }}
{{- end }}
{{- range $server := .Values.servers }}
{{ range $at, $zone := default (list (dict)) $server.zones }}{{ if $at }} {{ end }}{{ default "" $zone.scheme }}{{ default "." $zone.zone }}{{ with $server.port }}:{{ int . }}{{ end }}{{ end }} {
{{- range $server.plugins }}
    {{ .name }}{{ if not (kindIs "invalid" .parameters) }} {{ .parameters }}{{ end }}
    {{- with .configBlock }} {
        {{- . | trim | nindent 8 }}
    }
    {{- end }}
{{- end }}
}
{{- end }}
{{- end }}

{{- /* The names by which templates within a values file of the coredns chart call these. */}}
{{- define "coredns.name" }}{{ include "kdns.name" . }}{{ end }}
{{- define "coredns.fullname" }}{{ include "kdns.fullname" . }}{{ end }}
{{- define "coredns.k8sapplabel" }}{{ include "kdns.app" . }}{{ end }}
{{- define "coredns.serviceAccountName" }}{{ include "kdns.account" . }}{{ end }}
