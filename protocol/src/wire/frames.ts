import { decode, encode } from 'cborg'
import type { HeaderField } from '../canonical/types.ts'
import { PeerHostError } from '../errors/peerhost-error.ts'
import type { Hex } from '../hex.ts'
import type { ManifestFunction } from '../manifest/types.ts'

// Frames between gateway and worker: one CBOR map a WebSocket message. Signed messages travel as their JSON fields would
// be slower to read; here they are arrays of their fields (messageToArray).

/** The gateway's first word: who it is, and what the worker has to sign (Access with bodyHash = keccak256 of it). */
export interface ChallengeFrame {
  type: 'challenge'
  challenge: Uint8Array
  gateway: Hex
  chainId: number
  coordinator: Hex
}

/** The worker's introduction. */
export interface HelloFrame {
  type: 'hello'
  /** PEERHOST-AUTH of method GET, target /ws, body = the challenge; signed by the hot key. */
  auth: string
  /** The bonded address that the hot key belongs to. */
  worker: Hex
  runtimeIds: Hex[]
  /** protocol.md, `sandbox`. */
  sandbox: number
  /** Executions at once. */
  capacity: number
}

export interface WelcomeFrame {
  type: 'welcome'
}

/** The gateway ends the conversation; the code says why. */
export interface GoodbyeFrame {
  type: 'goodbye'
  code: string
  message: string
}

export interface AssignFrame {
  type: 'assign'
  id: number
  owner: Hex
  project: string
  function: string
  request: unknown[]
  assignment: unknown[]
  signature: Hex
  /** Canonical bytes behind inputHash. */
  input: Uint8Array
  body: Uint8Array
  /** The caller takes the response as it comes: head and chunk frames before the result. */
  stream: boolean
}

export interface CancelFrame {
  type: 'cancel'
  id: number
}

export interface AcceptanceFrame {
  type: 'acceptance'
  acceptance: unknown[]
  signature: Hex
}

/** Asks for a jail ahead of the first request. */
export interface PrepareFrame {
  type: 'prepare'
  owner: Hex
  project: string
  function: string
  version: number
}

/** Trial of a bundle before it is registered: no receipt is signed. */
export interface ProveFrame {
  type: 'prove'
  id: number
  owner: Hex
  project: string
  definition: ManifestFunction
  runs: number
}

export interface StatusFrame {
  type: 'status'
  /** `<serviceId>:<version>` of functions with a waiting child. */
  warm: string[]
  busy: number
  capacity: number
}

export interface ResultFrame {
  type: 'result'
  id: number
  receipt: unknown[]
  signature: Hex
  salt: Hex
  /** Canonical bytes behind resultHash. */
  output: Uint8Array
  /** The response's body (for a streamed one as well). */
  body: Uint8Array
  start: 'forked' | 'cold'
  waitMs: number
  runMs: number
  logs: string
  /** Why status is not 0: a PH_RUN_* code and its message, for the owner's logs. */
  error?: { code: string; message: string }
}

export interface RefusedFrame {
  type: 'refused'
  id: number
  code: string
  message: string
}

export interface HeadFrame {
  type: 'head'
  id: number
  httpStatus: number
  headers: HeaderField[]
}

export interface ChunkFrame {
  type: 'chunk'
  id: number
  bytes: Uint8Array
}

export interface ProvedFrame {
  type: 'proved'
  id: number
  /** Names the first difference; absent where all runs agreed. */
  difference?: string
}

export type GatewayFrame =
  | ChallengeFrame
  | WelcomeFrame
  | GoodbyeFrame
  | AssignFrame
  | CancelFrame
  | AcceptanceFrame
  | PrepareFrame
  | ProveFrame
export type WorkerFrame = HelloFrame | StatusFrame | ResultFrame | RefusedFrame | HeadFrame | ChunkFrame | ProvedFrame

/** Requests and responses have at most 6 MB; a frame holds one and little else. */
export const MAX_BODY = 6 * 1024 * 1024
export const MAX_FRAME = MAX_BODY + 512 * 1024

export const encodeFrame = (frame: GatewayFrame | WorkerFrame): Uint8Array => encode(frame)

type Kind = 'text' | 'integer' | 'number' | 'bytes' | 'array' | 'object' | 'boolean'
const SHAPES: Record<(GatewayFrame | WorkerFrame)['type'], Record<string, Kind>> = {
  challenge: { challenge: 'bytes', gateway: 'text', chainId: 'integer', coordinator: 'text' },
  hello: { auth: 'text', worker: 'text', runtimeIds: 'array', sandbox: 'integer', capacity: 'integer' },
  welcome: {},
  goodbye: { code: 'text', message: 'text' },
  assign: {
    id: 'integer',
    owner: 'text',
    project: 'text',
    function: 'text',
    request: 'array',
    assignment: 'array',
    signature: 'text',
    input: 'bytes',
    body: 'bytes',
    stream: 'boolean',
  },
  cancel: { id: 'integer' },
  acceptance: { acceptance: 'array', signature: 'text' },
  prepare: { owner: 'text', project: 'text', function: 'text', version: 'integer' },
  prove: { id: 'integer', owner: 'text', project: 'text', definition: 'object', runs: 'integer' },
  status: { warm: 'array', busy: 'integer', capacity: 'integer' },
  result: {
    id: 'integer',
    receipt: 'array',
    signature: 'text',
    salt: 'text',
    output: 'bytes',
    body: 'bytes',
    start: 'text',
    waitMs: 'number',
    runMs: 'number',
    logs: 'text',
  },
  refused: { id: 'integer', code: 'text', message: 'text' },
  head: { id: 'integer', httpStatus: 'integer', headers: 'array' },
  chunk: { id: 'integer', bytes: 'bytes' },
  proved: { id: 'integer' },
}

const CHECKS: Record<Kind, (value: unknown) => boolean> = {
  text: (value) => typeof value === 'string',
  integer: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  bytes: (value) => value instanceof Uint8Array,
  array: Array.isArray,
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  boolean: (value) => typeof value === 'boolean',
}

/** Reads a frame of the other side, which may be hostile: throws PH_REQUEST_INVALID where it is not of its shape. */
export function decodeFrame<F extends GatewayFrame | WorkerFrame>(bytes: Uint8Array): F {
  const invalid = (detail: string) => new PeerHostError('PH_REQUEST_INVALID', { detail })
  if (bytes.length > MAX_FRAME) throw invalid('a frame is too large')
  let value: Record<string, unknown>
  try {
    value = decode(bytes)
  } catch {
    throw invalid('a frame is not CBOR')
  }
  const type = value?.type
  if (typeof type !== 'string' || !Object.hasOwn(SHAPES, type)) throw invalid('a frame of no known type')
  for (const [name, kind] of Object.entries(SHAPES[type as keyof typeof SHAPES])) {
    if (!CHECKS[kind](value[name])) throw invalid(`a ${type} frame without a proper ${name}`)
  }
  return value as unknown as F
}
