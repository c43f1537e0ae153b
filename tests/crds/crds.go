package main

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apiserver"
	extensionsoptions "k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	generated "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/notfoundhandler"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
)

// customResources is the server behind the lab's: it has CustomResourceDefinitions and serves what they define, by the
// library that the real kube-apiserver has behind its own resources. It takes the place of the empty delegate there.
func customResources(o *options, c *genericapiserver.Config) genericapiserver.DelegationTarget {
	generic := *c
	generic.PostStartHooks = map[string]genericapiserver.PostStartHookConfigEntry{}
	generic.RESTOptionsGetter = nil
	etcd := *o.etcd
	etcd.StorageConfig.Codec = extensions.Codecs.LegacyCodec(apiextensionsv1.SchemeGroupVersion)
	etcd.StorageConfig.EncodeVersioner = runtime.NewMultiGroupVersioner(apiextensionsv1.SchemeGroupVersion, schema.GroupKind{Group: apiextensionsv1.GroupName})
	etcd.SkipHealthEndpoints = true
	exitOn(etcd.ApplyTo(&generic))
	namer := openapi.NewDefinitionNamer(extensions.Scheme)
	generic.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(generated.GetOpenAPIDefinitions, namer)
	generic.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(generated.GetOpenAPIDefinitions, namer)
	generic.MergedResourceConfig = extensions.DefaultAPIResourceConfigSource()
	client, err := kubernetes.NewForConfig(c.LoopbackClientConfig)
	exitOn(err)
	config := extensions.Config{
		GenericConfig: &genericapiserver.RecommendedConfig{Config: generic, SharedInformerFactory: informers.NewSharedInformerFactory(client, 0)},
		ExtraConfig: extensions.ExtraConfig{
			CRDRESTOptionsGetter: extensionsoptions.NewCRDRESTOptionsGetter(etcd, generic.ResourceTransformers, generic.StorageObjectCountTracker),
			MasterCount:          1,
			ServiceResolver:      webhook.NewDefaultServiceResolver(),
			AuthResolverWrapper:  webhook.NewDefaultAuthenticationInfoResolverWrapper(nil, nil, c.LoopbackClientConfig, nil),
		},
	}
	// Until definitions are known, what isn't is 503, as with the real one, and not 404.
	unknown := notfoundhandler.New(c.Serializer, filters.NoMuxAndDiscoveryIncompleteKey)
	made, err := config.Complete().New(genericapiserver.NewEmptyDelegateWithCustomHandler(unknown))
	exitOn(err)
	return made.GenericAPIServer
}
