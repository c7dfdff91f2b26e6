import {
  type AssignFrame,
  type Assignment,
  type CanonicalRequest,
  type ChallengeFrame,
  type Domain,
  decodeFrame,
  decodeInput,
  encodeFrame,
  encodeResult,
  errorAnswer,
  type FunctionResult,
  fromHex,
  type GatewayFrame,
  type Hex,
  hashMessage,
  keccak256,
  type MessageSigner,
  messageFromArray,
  messageToArray,
  type ProveFrame,
  type Receipt,
  type Request,
  type ResultFrame,
  resultCommit,
  signAccess,
  toHex,
  type WorkerFrame,
  ZERO_HASH,
} from '@peerhost/protocol'
import { WebSocket } from 'ws'

/** What a scripted function is given. */
export interface ScriptCall {
  function: string
  request?: CanonicalRequest
  event?: Uint8Array
  signed: Request
  attempt: number
  frame: AssignFrame
  send(frame: WorkerFrame): void
}

/** What it answers: an HTTP status and body, a status of the protocol, or nothing at all. */
export interface ScriptAnswer {
  status?: number
  httpStatus?: number
  headers?: (readonly [string, string])[]
  body?: string | Uint8Array
  logs?: string
}

export type Script = (call: ScriptCall) => ScriptAnswer | undefined | Promise<ScriptAnswer | undefined>

export interface ScriptedWorkerOptions {
  gatewayUrl: string
  domain: Domain
  signer: MessageSigner
  worker: Hex
  runtimeId: Hex
  /** What is registered, by function name. */
  specs: Map<string, { codeDigest: Hex; price: bigint }>
  script: Script
  capacity?: number
  /** Changes a result before it is sent: how a worker lies. */
  forge?: (frame: ResultFrame, receipt: Receipt) => ResultFrame
  onProve?: (frame: ProveFrame) => string | undefined
}

export interface ScriptedWorker {
  address: Hex
  acceptances: unknown[][]
  assignments: AssignFrame[]
  /** Functions that it was asked to make ready. */
  prepared: string[]
  /** As a killed process. */
  kill(): void
  close(): Promise<void>
}

const utf8 = new TextEncoder()

/** A worker of the real protocol over a real WebSocket, whose functions are a script. */
export async function startScriptedWorker(options: ScriptedWorkerOptions): Promise<ScriptedWorker> {
  const { domain, signer, worker, runtimeId, specs, script } = options
  const socket = new WebSocket(`${options.gatewayUrl.replace('http', 'ws')}/ws`, { perMessageDeflate: false })
  const acceptances: unknown[][] = []
  const assignments: AssignFrame[] = []
  const prepared: string[] = []
  const send = (frame: WorkerFrame) => socket.readyState === WebSocket.OPEN && socket.send(encodeFrame(frame))

  const introduce = ({ challenge }: ChallengeFrame) =>
    send({
      type: 'hello',
      auth: signAccess(signer, { domain, method: 'GET', target: '/ws', body: challenge, now: Date.now() / 1000 }),
      worker,
      runtimeIds: [runtimeId],
      sandbox: 1,
      capacity: options.capacity ?? 16,
    })

  async function execute(frame: AssignFrame): Promise<void> {
    assignments.push(frame)
    const input = decodeInput(frame.input, frame.body)
    const request = messageFromArray('Request', frame.request, toHex)
    const assignment: Assignment = messageFromArray('Assignment', frame.assignment, toHex)
    const startedAt = performance.now()
    const answer = await script({
      function: frame.function,
      ...(input.kind === 'http' ? { request: input.request } : { event: input.body }),
      signed: request,
      attempt: assignment.attempt,
      frame,
      send,
    })
    if (!answer) return
    const { status = 0, httpStatus = 200, headers = [['content-type', 'text/plain']], body = '' } = answer
    const bytes =
      status > 1
        ? new Uint8Array()
        : status === 1 && input.kind === 'http'
          ? errorAnswer('httpApi', 1).body
          : typeof body === 'string'
            ? utf8.encode(body)
            : body
    const result: FunctionResult =
      status > 1
        ? { kind: input.kind, status }
        : status === 1 && input.kind === 'http'
          ? { kind: 'http', status, response: errorAnswer('httpApi', 1) }
          : input.kind === 'http'
            ? { kind: 'http', status, response: { httpStatus, headers: [...headers], body: bytes } }
            : { kind: 'event', status, output: bytes }
    const spec = specs.get(frame.function)!
    const output = encodeResult(result)
    const assignmentHash = hashMessage(domain, 'Assignment', assignment)
    const salt = signer.salt(assignmentHash)
    const receipt: Receipt = {
      assignmentHash,
      requestHash: hashMessage(domain, 'Request', request),
      serviceId: request.serviceId,
      version: request.version,
      codeDigest: spec.codeDigest,
      runtimeId,
      sandbox: 1,
      resultCommit: resultCommit(keccak256(output), salt, worker),
      tapeRoot: ZERO_HASH,
      status,
      price: input.kind === 'http' && status === 0 && httpStatus < 400 ? spec.price : 0n,
      epoch: assignment.epoch,
      worker,
    }
    const signed: ResultFrame = {
      type: 'result',
      id: frame.id,
      receipt: messageToArray('Receipt', receipt, fromHex),
      signature: signer.sign(hashMessage(domain, 'Receipt', receipt)),
      salt,
      output,
      body: bytes,
      start: 'forked',
      waitMs: 0.1,
      runMs: performance.now() - startedAt,
      logs: answer.logs ?? '',
    }
    send(options.forge ? options.forge(signed, receipt) : signed)
  }

  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed')))
    socket.on('message', (data: Buffer) => {
      const frame = decodeFrame<GatewayFrame>(data)
      if (frame.type === 'challenge') introduce(frame)
      else if (frame.type === 'welcome') resolve()
      else if (frame.type === 'goodbye') reject(new Error(frame.code))
      else if (frame.type === 'assign') void execute(frame)
      else if (frame.type === 'acceptance') acceptances.push(frame.acceptance)
      else if (frame.type === 'prepare') prepared.push(`${frame.function}:${frame.version}`)
      else if (frame.type === 'prove')
        send({ type: 'proved', id: frame.id, difference: options.onProve?.(frame) } as WorkerFrame)
    })
  })
  return {
    address: worker,
    acceptances,
    assignments,
    prepared,
    kill: () => socket.terminate(),
    async close() {
      const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      if (socket.readyState === WebSocket.CLOSED) return
      socket.close()
      await gone
    },
  }
}
