import type { Hex } from '../hex.ts'

export type EventKind = 'http' | 'httpApi'
export type Verification = 'none' | 'deterministic' | 'public'

/** CORS of a route. `http`: what the preflight answers; `httpApi`: also added to every answer. */
export interface Cors {
  origins: string[]
  headers: string[]
  methods?: string[]
  exposedHeaders?: string[]
  allowCredentials?: boolean
  /** Seconds. */
  maxAge?: number
}

/** An `http` or `httpApi` event. */
export interface Route {
  /** Upper-case verb, or `ANY`. */
  method: string
  /** With leading slash: `/users/{id}`, `/{proxy+}`; `/{default+}` with `catchAll` for httpApi's `*`. */
  path: string
  kind: EventKind
  /** Payload format of the event. `http` is always 1.0. */
  payload: '1.0' | '2.0'
  /** httpApi's `$default`: everything that nothing else matches. */
  catchAll?: boolean
  cors?: Cors
  /** Request schema by content type (JSON Schema draft 7), of an `http` event's `request.schemas`. */
  schemas?: Record<string, unknown>
  /** `http`: media types whose bodies are binary (`provider.apiGateway.binaryMediaTypes`). */
  binaryMediaTypes?: string[]
}

/** Run in the jail before READY (runtime.md). An HTTP request line, or a raw event. */
export type Warmup =
  | { method: string; path: string; headers?: Record<string, string>; body?: string; rounds?: number }
  | { event: unknown; rounds?: number }

/** One function of a manifest. */
export interface ManifestFunction {
  name: string
  /** As in serverless.yml, `src/quote.handler`: the part after the file names the (nested) export of the bundle. */
  handler: string
  /** CIDv1 (unixfs-v1-2025) of the bundle. */
  bundleCid: string
  /** sha-256 of the bundle. */
  codeDigest: Hex
  /** Bytes. */
  size: number
  routes: Route[]
  /** Atomic USDC (6 decimals) as a decimal string. */
  price: string
  /** Seconds. */
  timeout: number
  /** MB. */
  memorySize: number
  /** Hosts, each `host` (port 443 and 80) or `host:port`. */
  egress: string[]
  verification: Verification
  /** Credential headers that reach a `public` function all the same, lower case. */
  publicHeaders: string[]
  warmup?: Warmup
  environment: Record<string, string>
  /** What events of kind `http` name as their stage; default `dev`. */
  stage?: string
  runtimeId: Hex
  /** For people only: e.g. description of serverless.yml. */
  description?: string
}

/** What one deploy says about a project; canonical JSON (RFC 8785) on IPFS, its sha-256 is registered. */
export interface Manifest {
  schema: 'peerhost/manifest/1'
  owner: Hex
  project: string
  functions: ManifestFunction[]
  /** What built the bundles: names to versions. Not part of "did the function change?". */
  tools: Record<string, string>
}
