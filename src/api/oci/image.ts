/**
 * OCI image messages (image-spec v1.1) and the Docker schema 2 media types that mean the same. Pure data; field
 * names are the wire's. Docker's additions to the config (`Healthcheck`, `Shell`, `OnBuild`, …) are included, since
 * images in the wild carry them.
 */

export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  /** Schema 1, which is refused by name. */
  dockerManifestV1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerManifestV1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

export const indexMediaTypes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerManifestList];
export const manifestMediaTypes: readonly string[] = [mediaTypes.ociManifest, mediaTypes.dockerManifest];
export const configMediaTypes: readonly string[] = [mediaTypes.ociConfig, mediaTypes.dockerConfig];
export const layerMediaTypes: readonly string[] = [
  mediaTypes.ociLayer,
  mediaTypes.ociLayerGzip,
  mediaTypes.ociLayerZstd,
  mediaTypes.dockerLayer,
  mediaTypes.dockerLayerGzip,
];

/** `sha256:<64 hex>`, as on the wire. */
export type OciDigest = `sha256:${string}`;

export interface OciPlatform {
  os: string;
  architecture: string;
  variant?: string;
  'os.version'?: string;
  'os.features'?: string[];
}

export interface OciDescriptor {
  mediaType: string;
  digest: OciDigest;
  size: number;
  platform?: OciPlatform;
  annotations?: Record<string, string>;
  urls?: string[];
  artifactType?: string;
  data?: string;
}

export interface ImageManifest {
  schemaVersion: 2;
  mediaType?: string;
  artifactType?: string;
  config: OciDescriptor;
  layers: OciDescriptor[];
  subject?: OciDescriptor;
  annotations?: Record<string, string>;
}

export interface ImageIndex {
  schemaVersion: 2;
  mediaType?: string;
  artifactType?: string;
  manifests: OciDescriptor[];
  subject?: OciDescriptor;
  annotations?: Record<string, string>;
}

/** The image configuration: what the image's id is the digest of. */
export interface ImageConfig {
  /** RFC 3339. */
  created?: string;
  author?: string;
  architecture: string;
  os: string;
  variant?: string;
  'os.version'?: string;
  'os.features'?: string[];
  config?: ContainerConfig;
  rootfs: ImageRootfs;
  history?: ImageHistory[];
  /** Docker's: the comment of `docker commit -m` and `docker import -m`. */
  comment?: string;
  /** Docker's: id and config of the container that it was committed from. */
  container?: string;
  container_config?: ContainerConfig;
  docker_version?: string;
}

export interface ImageRootfs {
  type: 'layers';
  /** Digests of the uncompressed layers, base first. */
  diff_ids: OciDigest[];
}

export interface ImageHistory {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  /** The step made no layer. */
  empty_layer?: boolean;
}

/** Defaults for containers of the image. */
export interface ContainerConfig {
  User?: string;
  ExposedPorts?: Record<string, Record<string, never>>;
  Env?: string[] | null;
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Volumes?: Record<string, Record<string, never>> | null;
  WorkingDir?: string;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  /** Docker's: Cmd was given in shell form (Windows), kept as it came. */
  ArgsEscaped?: boolean;
  Hostname?: string;
  Domainname?: string;
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  Tty?: boolean;
  OpenStdin?: boolean;
  StdinOnce?: boolean;
  Image?: string;
  MacAddress?: string;
  NetworkDisabled?: boolean;
  OnBuild?: string[] | null;
  /** Seconds. */
  StopTimeout?: number;
  Shell?: string[];
  Healthcheck?: HealthConfig;
}

/** Docker's health check; durations in nanoseconds. */
export interface HealthConfig {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

/** `manifest.json` of a `docker save` archive. */
export interface DockerArchiveEntry {
  Config: string;
  RepoTags: string[] | null;
  Layers: string[];
  Parent?: string;
  LayerSources?: Record<string, OciDescriptor>;
}

/** `oci-layout` of an OCI image layout. */
export interface OciLayout {
  imageLayoutVersion: '1.0.0';
}

export const annotationRefName = 'org.opencontainers.image.ref.name';
/** containerd's: the full name, where `ref.name` is only the tag. */
export const annotationImageName = 'io.containerd.image.name';
