import { randomBytes } from 'node:crypto'
import {
  type Assignment,
  type FunctionInput,
  type FunctionResult,
  fromHex,
  type HeadFrame,
  type Hex,
  hashMessage,
  isPeerHostError,
  messageToArray,
  PeerHostError,
  type Request,
  type ResultFrame,
  toHex,
  toPeerHostError,
} from '@peerhost/protocol'
import type { Context } from '../context.ts'
import type { ServedFunction } from '../routing/project-catalogue.ts'
import type { LogRecord } from '../store/store.ts'
import type { WorkerConnection } from '../workers/worker-connection.ts'
import { type CheckedResult, checkResult } from './check-result.ts'
import type { CompletedCall } from './completed-call.ts'

/** One call of a function, before a worker is chosen. */
export interface Call {
  served: ServedFunction
  kind: FunctionInput['kind']
  /** Canonical bytes behind inputHash. */
  input: Uint8Array
  inputHash: Hex
  body: Uint8Array
  payer: Hex
  /** Atomic USDC. */
  maxPrice: bigint
}

/** Takes a response as it comes. */
export interface StreamSink {
  /** Whether parts went out already: then no other worker can answer. */
  readonly begun: boolean
  head(frame: HeadFrame): void
  chunk(bytes: Uint8Array): void
  /** Throws PH_WORKER_BAD_RECEIPT where parts went out and are not those of the receipt. */
  check(result: FunctionResult, body: Uint8Array): void
}

const MAX_ATTEMPTS = 4
/** Milliseconds; a worker refuses a request whose clock is 30 s off, so an older one is made anew for the next attempt. */
const MAX_REQUEST_AGE_MS = 15_000

type DispatchContext = Pick<
  Context,
  'config' | 'domain' | 'gateway' | 'signer' | 'registry' | 'pool' | 'store' | 'metrics' | 'log'
>

function makeRequest({ served, inputHash, payer, maxPrice }: Call, marginMs: number): Request {
  const clockMs = BigInt(Date.now())
  return {
    serviceId: served.service.serviceId,
    version: served.service.version,
    inputHash,
    payer,
    maxPrice,
    clockMs,
    deadlineMs: clockMs + BigInt(served.timeoutMs + marginMs),
    nonce: toHex(randomBytes(32)),
  }
}

/**
 * Has a worker execute a call and checks what it says. A worker that disconnects, takes too long, refuses, cannot
 * execute or answers rubbish is replaced by another. Throws PH_GATEWAY_NO_WORKER, PH_GATEWAY_BUSY or PH_WORKER_TIMEOUT.
 */
export async function dispatch(context: DispatchContext, call: Call, sink?: StreamSink): Promise<CompletedCall> {
  const { pool, config, domain, metrics, log } = context
  const { served } = call
  const { spec } = served.service
  const excluded = new Set<Hex>()
  const startedAt = performance.now()
  let request: Request | undefined
  let requestHash: Hex | undefined
  let failure: PeerHostError | undefined
  let unable: CompletedCall | undefined

  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    let connection: WorkerConnection
    try {
      connection = await pool.acquire({ runtimeId: spec.runtimeId, name: served.name, excluded })
    } catch (error) {
      if (attempt > 0 && isPeerHostError(error, 'PH_GATEWAY_NO_WORKER')) break
      throw error
    }
    if (!request || !requestHash || Date.now() - Number(request.clockMs) > MAX_REQUEST_AGE_MS) {
      request = makeRequest(call, config.dispatchMarginMs)
      requestHash = hashMessage(domain, 'Request', request)
    }
    try {
      const completed = await attemptOn(context, call, request, requestHash, attempt, connection, startedAt, sink)
      if (completed.receipt.status !== 4) {
        pool.failures.worked(connection.identity.worker, served.name)
        connection.warm.add(served.name) // before its next status says so, which would send the next call to a cold one
        return completed
      }
      unable = completed // it cannot; another one may
      failure = new PeerHostError('PH_WORKER_REFUSED', { detail: 'it cannot execute this function' })
    } catch (error) {
      failure = toPeerHostError(error)
    }
    metrics.failedAttempts.inc({ code: failure.code })
    const { worker } = connection.identity
    pool.failures.failed(worker, served.name, failure)
    log('warning', 'attempt failed', { requestHash, attempt, worker, code: failure.code, message: failure.message })
    if (sink?.begun) throw failure
    excluded.add(worker)
  }
  if (unable) return unable
  if (failure?.code === 'PH_WORKER_TIMEOUT') throw failure
  throw new PeerHostError('PH_GATEWAY_NO_WORKER', {}, { cause: failure })
}

async function attemptOn(
  { config, domain, gateway, signer, registry, store }: DispatchContext,
  call: Call,
  request: Request,
  requestHash: Hex,
  attempt: number,
  connection: WorkerConnection,
  startedAt: number,
  sink: StreamSink | undefined,
): Promise<CompletedCall> {
  const { served, input, body, kind } = call
  const { service } = served
  const { identity } = connection
  const nowMs = Date.now()
  const timeoutMs = served.timeoutMs + config.dispatchMarginMs
  const assignment: Assignment = {
    requestHash,
    attempt,
    gateway,
    worker: identity.worker,
    epoch: request.clockMs / 1000n / registry.parameters.epochLength,
    answerByMs: BigInt(nowMs + timeoutMs),
  }
  const assignmentHash = hashMessage(domain, 'Assignment', assignment)
  const assignmentSignature = signer.sign(assignmentHash)
  const frame = await connection.execute(
    {
      owner: service.owner,
      project: service.project,
      function: service.function,
      request: messageToArray('Request', request, fromHex),
      assignment: messageToArray('Assignment', assignment, fromHex),
      signature: assignmentSignature,
      input,
      body,
      stream: sink !== undefined,
    },
    {
      timeoutMs,
      stream: sink && { onHead: (head) => sink.head(head), onChunk: ({ bytes }) => sink.chunk(bytes) },
    },
  )
  const checked = checkResult({ domain, service, kind, request, assignment, assignmentHash, identity, frame })
  sink?.check(checked.result, frame.body)
  const name = `${service.owner}/${service.project}/${service.function}`
  setImmediate(() => store.addLog(name, logRecord(requestHash, call, checked, frame))) // the answer goes first
  return {
    request,
    requestHash,
    assignment,
    assignmentSignature,
    receipt: checked.receipt,
    receiptHash: checked.receiptHash,
    receiptSignature: frame.signature,
    salt: frame.salt,
    input,
    ...(served.definition.verification === 'public' && { published: body }),
    output: frame.output,
    body: frame.body,
    result: checked.result,
    start: frame.start,
    ...(/^PH_RUN_[A-Z_]{1,40}$/.test(String(frame.error?.code)) && { errorCode: frame.error!.code }),
    dispatchMs: Math.max(0, performance.now() - startedAt - frame.runMs),
    runMs: frame.runMs,
  }
}

const MAX_LOG_TEXT = 64 * 1024

function logRecord(
  requestHash: Hex,
  { served }: Call,
  { receipt, result }: CheckedResult,
  frame: ResultFrame,
): LogRecord {
  const { error } = frame
  return {
    requestId: requestHash,
    time: Date.now(),
    status: receipt.status,
    ...(result.kind === 'http' && result.response && { httpStatus: result.response.httpStatus }),
    durationMs: Math.round(frame.runMs * 100) / 100,
    worker: receipt.worker,
    start: frame.start,
    version: served.service.version,
    ...(error && {
      error: { code: String(error.code).slice(0, 80), message: String(error.message).slice(0, 4096) },
    }),
    lines: frame.logs.slice(0, MAX_LOG_TEXT),
  }
}
