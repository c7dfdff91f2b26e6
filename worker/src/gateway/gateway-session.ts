import { setImmediate as afterWaitingIo } from 'node:timers/promises'
import type { RegisteredService, Registry } from '@peerhost/chain'
import {
  type AcceptanceFrame,
  type AssignFrame,
  type Domain,
  decodeFrame,
  encodeFrame,
  fromHex,
  type GatewayFrame,
  type Hex,
  hashMessage,
  type MessageSigner,
  messageFromArray,
  messageToArray,
  type PrepareFrame,
  type ProveFrame,
  type Recover,
  type ResultFrame,
  serviceId,
  toHex,
  toPeerHostError,
} from '@peerhost/protocol'
import { functionKey, type Sandbox, type SandboxFunction } from '@peerhost/sandbox'
import type { FunctionSource } from '../functions/function-source.ts'
import { makeReceipt } from '../receipts/make-receipt.ts'
import type { ReceiptStore } from '../receipts/receipt-store.ts'
import type { WorkerLog } from '../worker-log.ts'
import { type CheckedAssignment, checkAssignment, checkSigner } from './check-assignment.ts'
import type { GatewayConnection } from './gateway-connection.ts'
import { proveBundle } from './prove-bundle.ts'

export interface SessionParts {
  domain: Domain
  registry: Registry
  recover: Recover
  signer: MessageSigner
  worker: Hex
  runtimeIds: readonly Hex[]
  sandbox: Sandbox
  functions: FunctionSource
  receipts: ReceiptStore
  log: WorkerLog
  capacity: number
  /** Executions under way, over all gateways. */
  busy: Set<string>
  /** The sandbox's keys of functions to the names that gateways know: `<serviceId>:<version>`. */
  names: Map<string, string>
}

const MAX_NAMES = 10_000
/** A stream's peer that reads this slowly holds no more of its response here than this, in bytes. */
const MAX_STREAM_BUFFER = 8 * 1024 * 1024

/**
 * Running a function that sees neither clock nor network changes nothing but what it answers: nobody is harmed where that is
 * thrown away. So its order's signature is checked while the jail works.
 */
const isWithoutEffects = ({ definition }: SandboxFunction) =>
  definition.verification !== 'none' && definition.egress.length === 0

/** What one gateway asks of the worker: executions above all. */
export class GatewaySession {
  readonly #parts: SessionParts
  readonly #connection: GatewayConnection
  readonly #running = new Map<number, AbortController>()

  constructor(parts: SessionParts, connection: GatewayConnection) {
    this.#parts = parts
    this.#connection = connection
  }

  receive(frame: GatewayFrame): void {
    if (frame.type === 'assign') void this.#assign(frame)
    else if (frame.type === 'cancel') this.#running.get(frame.id)?.abort()
    else if (frame.type === 'acceptance')
      setImmediate(() => this.#accept(frame)) // the request behind it goes first
    else if (frame.type === 'prepare') void this.#prepare(frame)
    else if (frame.type === 'prove') void this.#prove(frame)
  }

  /** Says what is warm and how much is under way. */
  sendStatus(): void {
    const { sandbox, busy, capacity, names } = this.#parts
    const warm = sandbox.warm().flatMap((key) => names.get(key) ?? [])
    this.#connection.send({ type: 'status', warm, busy: busy.size, capacity })
  }

  /** A registered function, ready to be run. */
  async #find(service: RegisteredService): Promise<SandboxFunction> {
    const { functions, names } = this.#parts
    const fn = await functions.find(service)
    if (names.size > MAX_NAMES) names.clear()
    names.set(functionKey(fn), `${service.serviceId}:${service.version}`)
    return fn
  }

  /** The gateway is gone: nobody waits for what runs for it. */
  disconnected(): void {
    for (const running of this.#running.values()) running.abort()
  }

  async #assign(frame: AssignFrame): Promise<void> {
    const { domain, registry, worker, runtimeIds, sandbox, receipts, signer, busy, capacity, log } = this.#parts
    const { id } = frame
    let key: Hex | undefined
    try {
      const checked = await checkAssignment(frame, {
        domain,
        registry,
        worker,
        runtimeIds,
        nowMs: Date.now(),
        databaseMs: receipts.createdMs,
      })
      const stored = receipts.find(checked.assignmentHash)
      if (stored) {
        checkSigner(checked, frame.signature, this.#parts)
        this.#connection.send({ ...decodeFrame<ResultFrame>(stored), id })
        return
      }
      if (busy.has(checked.assignmentHash)) return this.#refuse(id, 'PH_WORKER_REFUSED', 'this assignment is under way')
      if (busy.size >= capacity) return this.#refuse(id, 'PH_GATEWAY_BUSY', 'this worker has enough to do')
      key = checked.assignmentHash
      busy.add(key)
      const fn = await this.#find(checked.service)
      const checksMeanwhile = !frame.stream && isWithoutEffects(fn)
      if (!checksMeanwhile) checkSigner(checked, frame.signature, this.#parts)
      const cancel = new AbortController()
      this.#running.set(id, cancel)
      const running = sandbox.execute(
        fn,
        { input: checked.input, requestHash: checked.requestHash, clockMs: Number(checked.request.clockMs) },
        { signal: cancel.signal, stream: frame.stream ? this.#stream(id, cancel) : undefined },
      )
      if (checksMeanwhile) await this.#checkMeanwhile(checked, frame.signature, running, cancel)
      const result = await running
      if (cancel.signal.aborted) return
      if (result.status === 4)
        return this.#refuse(id, result.error?.code ?? 'PH_RUN_REFUSED', result.error?.message ?? 'it could not be run')
      const signed = makeReceipt(domain, signer, worker, checked, result)
      const answer: ResultFrame = {
        type: 'result',
        id,
        receipt: messageToArray('Receipt', signed.receipt, fromHex),
        signature: signed.signature,
        salt: signed.salt,
        output: signed.output,
        body: signed.body,
        start: result.start,
        waitMs: result.timings.waitMs,
        runMs: result.timings.runMs,
        logs: result.logs,
        ...(result.error && { error: result.error }),
      }
      const bytes = encodeFrame(answer)
      await receipts.save({ assignmentHash: key, receiptHash: signed.receiptHash, frame: bytes })
      this.#connection.sendBytes(bytes)
    } catch (error) {
      const { code, message } = toPeerHostError(error)
      log('warning', `request refused: ${code}: ${message}`)
      this.#refuse(id, code, message)
    } finally {
      if (key) busy.delete(key)
      this.#running.delete(id)
    }
  }

  /** Checks who signed an order while it runs; ends the execution and throws PH_WORKER_REFUSED where it was somebody else. */
  async #checkMeanwhile(
    checked: CheckedAssignment,
    signature: Hex,
    running: Promise<unknown>,
    cancel: AbortController,
  ): Promise<void> {
    running.catch(() => {}) // told to who awaits it
    await afterWaitingIo()
    try {
      checkSigner(checked, signature, this.#parts)
    } catch (error) {
      cancel.abort()
      await running.catch(() => {})
      throw error
    }
  }

  #refuse(id: number, code: string, message: string): void {
    this.#connection.send({ type: 'refused', id, code, message })
  }

  #stream(id: number, cancel: AbortController) {
    return {
      head: ({ httpStatus, headers }: { httpStatus: number; headers: (readonly [string, string])[] }) => {
        this.#connection.send({ type: 'head', id, httpStatus, headers })
      },
      chunk: (bytes: Uint8Array) => {
        if (this.#connection.buffered > MAX_STREAM_BUFFER) cancel.abort()
        else this.#connection.send({ type: 'chunk', id, bytes })
      },
    }
  }

  /** Keeps the gateway's promise about a receipt of this worker, if it really is its own: evidence, should it break it. */
  #accept(frame: AcceptanceFrame): void {
    const { domain, receipts, registry, recover, log } = this.#parts
    try {
      const acceptance = messageFromArray('Acceptance', frame.acceptance, toHex)
      if (!receipts.has(acceptance.receiptHash)) return
      const signer = recover(hashMessage(domain, 'Acceptance', acceptance), frame.signature)
      const epoch = BigInt(Math.floor(Date.now() / 1000)) / registry.parameters.epochLength
      // The promise may have been signed at the end of the epoch before.
      const isGateways =
        signer && [epoch, epoch - 1n].some((one) => registry.hotKeyOwner(signer, one) === this.#connection.gateway)
      if (isGateways) receipts.saveAcceptance(acceptance.receiptHash, encodeFrame(frame))
      else log('warning', `${this.#connection.url} sent a promise that is not signed by its key`)
    } catch (error) {
      log('warning', `an acceptance cannot be read: ${toPeerHostError(error).message}`)
    }
  }

  async #prepare({ owner, project, function: name, version }: PrepareFrame): Promise<void> {
    const { registry, sandbox, runtimeIds, log } = this.#parts
    try {
      const id = serviceId(owner as Hex, project, name)
      if (!registry.service(id, version)) await registry.sync()
      const service = registry.service(id, version)
      if (!service || service.retired || !runtimeIds.includes(service.spec.runtimeId)) return
      await sandbox.prepare(await this.#find(service))
      this.sendStatus()
    } catch (error) {
      log('warning', `function ${name} of ${project} could not be prepared: ${toPeerHostError(error).message}`)
    }
  }

  async #prove(frame: ProveFrame): Promise<void> {
    const { id } = frame
    try {
      const difference = await proveBundle(this.#parts, frame)
      this.#connection.send({ type: 'proved', id, ...(difference !== undefined && { difference }) })
    } catch (error) {
      const { code, message } = toPeerHostError(error)
      this.#refuse(id, code, message)
    }
  }
}
