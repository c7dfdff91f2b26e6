import type { CanonicalRequest, CanonicalResponse, Hex, ManifestFunction } from '@peerhost/protocol'

/** What the sandbox has to know of a function version. All of it comes from the chain and the manifest. */
export interface SandboxFunction {
  owner: Hex
  project: string
  version: number
  /** The function's entry in its manifest: name, handler, memorySize, timeout, environment, egress, verification, routes ... */
  definition: ManifestFunction
  /** Returns the bundle's bytes, already verified against `definition.codeDigest`. Called at most once per start. */
  bundle: () => Promise<Uint8Array>
}

/** One execution of a function: an HTTP request, or a raw event (`/invoke`). */
export interface Invocation {
  input: { kind: 'http'; request: CanonicalRequest } | { kind: 'event'; body: Uint8Array }
  /** EIP-712 digest of the Request: the request id that the handler sees and the seed of its randomness. */
  requestHash: Hex
  /** Milliseconds since 1970: the Request's clock. The virtual clock starts here, and the event's times come from it. */
  clockMs: number
}

/** Receives a streamed response while the function still writes it. Without one, the response comes whole. */
export interface ResponseStream {
  head(head: { httpStatus: number; headers: CanonicalResponse['headers'] }): void
  chunk(bytes: Uint8Array): void
}

export interface ExecuteOptions {
  stream?: ResponseStream
  /** Ends the execution early: the caller has lost interest. The result's status is then 4. */
  signal?: AbortSignal
}

/** protocol.md, Receipt.status: 0 ok, 1 function threw, 2 timeout, 3 out of memory, 4 cannot execute. */
export type ExecutionStatus = 0 | 1 | 2 | 3 | 4

export interface ExecutionResult {
  status: ExecutionStatus
  /** For an HTTP invocation with status 0 or 1 (1: the fixed error answer of the event's kind). */
  response?: CanonicalResponse
  /** For a raw event with status 0 or 1: the JSON of the result, or `{errorType, errorMessage}`. */
  output?: Uint8Array
  /** Says why status is not 0. `code` is one of the catalogue's PH_RUN_* codes. */
  error?: { code: string; message: string }
  /** `forked`: a child was waiting; `cold`: it waited for a jail or a load. */
  start: 'forked' | 'cold'
  /** Standard output and error, capped, marked where cut. */
  logs: string
  /** Milliseconds: until a child took the request, and from then until its answer was complete. */
  timings: { waitMs: number; runMs: number }
}

/** Runs functions, each execution in a process that has never seen another request. */
export interface Sandbox {
  readonly driver: 'nsjail'
  execute(fn: SandboxFunction, invocation: Invocation, options?: ExecuteOptions): Promise<ExecutionResult>
  /** Starts a jail for the function ahead of its first request. */
  prepare(fn: SandboxFunction): Promise<void>
  /** The keys (`functionKey`) of functions that have jails: a child waits, or will in a moment. */
  warm(): string[]
  /** Ends every jail and removes cgroups and mounts. */
  close(): Promise<void>
}
