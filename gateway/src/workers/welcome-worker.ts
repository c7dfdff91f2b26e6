import { randomBytes } from 'node:crypto'
import type { Registry } from '@peerhost/chain'
import {
  type Domain,
  decodeFrame,
  encodeFrame,
  type HelloFrame,
  type Hex,
  isHex,
  PeerHostError,
  verifyAccess,
  type WorkerFrame,
} from '@peerhost/protocol'
import { recover } from '@peerhost/protocol/native'
import type { RawData, WebSocket } from 'ws'
import type { WorkerIdentity } from './worker-connection.ts'

export interface WelcomeWorkerOptions {
  registry: Registry
  domain: Domain
  /** The gateway's bonded address. */
  gateway: Hex
  /** Milliseconds that a worker has to introduce itself. */
  timeoutMs?: number
}

const MAX_CAPACITY = 1024

/** The next frame of a socket, as a promise. */
function nextFrame(socket: WebSocket, timeoutMs: number): Promise<WorkerFrame> {
  return new Promise((resolve, reject) => {
    const fail = (error: PeerHostError) => {
      clearTimeout(timer)
      socket.off('message', onMessage)
      socket.off('close', onClose)
      reject(error)
    }
    const onClose = () => fail(new PeerHostError('PH_WORKER_DISCONNECTED', {}))
    const onMessage = (data: RawData) => {
      clearTimeout(timer)
      socket.off('close', onClose)
      try {
        resolve(decodeFrame<WorkerFrame>(data as Buffer))
      } catch (error) {
        reject(error)
      }
    }
    const timer = setTimeout(() => fail(new PeerHostError('PH_REQUEST_TIMEOUT', {})), timeoutMs)
    socket.once('message', onMessage)
    socket.once('close', onClose)
  })
}

function checkHello(frame: WorkerFrame): HelloFrame {
  const valid =
    frame.type === 'hello' &&
    isHex(frame.worker, 20) &&
    frame.runtimeIds.length <= 64 &&
    frame.runtimeIds.every((id) => isHex(id, 32)) &&
    frame.sandbox <= 3 &&
    frame.capacity >= 1 &&
    frame.capacity <= MAX_CAPACITY
  if (!valid) throw new PeerHostError('PH_REQUEST_INVALID', { detail: 'the introduction is malformed' })
  return frame as HelloFrame
}

/**
 * Lets a worker in: it signs the gateway's challenge with a hot key that the registry knows as its own, is bonded and
 * not jailed. Throws PH_AUTH_*, PH_WORKER_NOT_ELIGIBLE, PH_REQUEST_INVALID or PH_REQUEST_TIMEOUT.
 */
export async function welcomeWorker(
  socket: WebSocket,
  { registry, domain, gateway, timeoutMs = 10_000 }: WelcomeWorkerOptions,
): Promise<WorkerIdentity> {
  const challenge = new Uint8Array(randomBytes(32))
  const answer = nextFrame(socket, timeoutMs)
  socket.send(
    encodeFrame({
      type: 'challenge',
      challenge,
      gateway,
      chainId: domain.chainId,
      coordinator: domain.verifyingContract,
    }),
    { binary: true },
  )
  const hello = checkHello(await answer)
  const now = Date.now() / 1000
  const hotKey = verifyAccess(hello.auth, { domain, method: 'GET', target: '/ws', body: challenge, now }, recover)
  const worker = hello.worker.toLowerCase() as Hex
  const refusal = () => {
    const epoch = BigInt(Math.floor(now)) / registry.parameters.epochLength
    if (registry.hotKeyOwner(hotKey, epoch) !== worker) return 'the key that signed is not a hot key of it'
    if (registry.isJailed(worker)) return 'it is jailed'
    if (!registry.isEligibleWorker(worker)) return 'it has not enough stake'
    return undefined
  }
  if (refusal()) await registry.sync().catch(() => {}) // it may have staked in the last block
  const reason = refusal()
  if (reason) throw new PeerHostError('PH_WORKER_NOT_ELIGIBLE', { address: worker, reason })
  return {
    worker,
    hotKey,
    runtimeIds: new Set(hello.runtimeIds.map((id) => id.toLowerCase() as Hex)),
    sandbox: hello.sandbox,
    capacity: hello.capacity,
  }
}
