import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type AssignFrame,
  type Assignment,
  type Domain,
  decodeFrame,
  encodeFrame,
  encodeInput,
  type FunctionInput,
  fromHex,
  type GatewayFrame,
  type HelloFrame,
  type Hex,
  hashMessage,
  keccak256,
  type MessageSigner,
  messageToArray,
  type Request,
  serviceId,
  toHex,
  verifyAccess,
  type WorkerFrame,
} from '@peerhost/protocol'
import { recover } from '@peerhost/protocol/native'
import { EmbeddedStore, trustlessGateway } from '@peerhost/storage'
import { type WebSocket, WebSocketServer } from 'ws'

/** A gateway whose every word is a test's: it takes a worker and sends it what the test says. */
export interface ScriptedGateway {
  url: string
  store: EmbeddedStore
  /** The worker's introduction, once it has come and its signature held. */
  hello: Promise<HelloFrame>
  send(frame: GatewayFrame): void
  /** Waits for the next frame of that type. */
  next<T extends WorkerFrame['type']>(type: T): Promise<Extract<WorkerFrame, { type: T }>>
  assign(
    order: Order,
    change?: Partial<AssignFrame>,
  ): Promise<{ requestHash: Hex; assignmentHash: Hex; answer: Extract<WorkerFrame, { type: 'result' | 'refused' }> }>
  close(): Promise<void>
}

/** An assignment that is right unless the test makes it wrong. */
export interface Order {
  owner: Hex
  project: string
  function: string
  version: number
  worker: Hex
  input: FunctionInput
  request?: Partial<Request>
  assignment?: Partial<Assignment>
  signer?: MessageSigner
}

export interface ScriptedGatewayOptions {
  domain: Domain
  signer: MessageSigner
  storePath: string
  epochLength: bigint
}

export async function startScriptedGateway({
  domain,
  signer,
  storePath,
  epochLength,
}: ScriptedGatewayOptions): Promise<ScriptedGateway> {
  const store = new EmbeddedStore({ path: storePath })
  const serve = trustlessGateway(store)
  const server: Server = createServer((req, res) => void serve(req, res))
  const sockets = new WebSocketServer({ server, path: '/ws' })
  const hello = Promise.withResolvers<HelloFrame>()
  const received: WorkerFrame[] = []
  const waiting: (() => void)[] = []
  let current: WebSocket | undefined
  let nextId = 1

  sockets.on('connection', (socket) => {
    current = socket
    const challenge = randomBytes(32)
    socket.send(
      encodeFrame({
        type: 'challenge',
        challenge,
        gateway: signer.address,
        chainId: domain.chainId,
        coordinator: domain.verifyingContract,
      }),
    )
    socket.on('message', (data: Buffer) => {
      const frame = decodeFrame<WorkerFrame>(data)
      if (frame.type === 'hello') {
        verifyAccess(
          frame.auth,
          { domain, method: 'GET', target: '/ws', body: challenge, now: Date.now() / 1000 },
          recover,
        )
        socket.send(encodeFrame({ type: 'welcome' }))
        hello.resolve(frame)
        return
      }
      received.push(frame)
      for (const wake of waiting.splice(0)) wake()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  async function find<T>(matches: (frame: WorkerFrame) => boolean): Promise<T> {
    for (;;) {
      const index = received.findIndex(matches)
      if (index >= 0) return received.splice(index, 1)[0] as T
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    store,
    hello: hello.promise,
    send: (frame) => current!.send(encodeFrame(frame)),
    next: (type) => find((frame) => frame.type === type),
    async assign(order, change = {}) {
      const id = nextId++
      const input = encodeInput(order.input)
      const body = order.input.kind === 'http' ? order.input.request.body : order.input.body
      const clockMs = BigInt(Date.now())
      const request: Request = {
        serviceId: serviceId(order.owner, order.project, order.function),
        version: order.version,
        inputHash: keccak256(input),
        payer: `0x${'00'.repeat(20)}`,
        maxPrice: 0n,
        clockMs,
        deadlineMs: clockMs + 10_000n,
        nonce: toHex(randomBytes(32)),
        ...order.request,
      }
      const requestHash = hashMessage(domain, 'Request', request)
      const assignment: Assignment = {
        requestHash,
        attempt: 0,
        gateway: signer.address,
        worker: order.worker,
        epoch: request.clockMs / 1000n / epochLength,
        answerByMs: clockMs + 10_000n,
        ...order.assignment,
      }
      const assignmentHash = hashMessage(domain, 'Assignment', assignment)
      const frame: AssignFrame = {
        type: 'assign',
        id,
        owner: order.owner,
        project: order.project,
        function: order.function,
        request: messageToArray('Request', request, fromHex),
        assignment: messageToArray('Assignment', assignment, fromHex),
        signature: (order.signer ?? signer).sign(assignmentHash),
        input,
        body,
        stream: false,
        ...change,
      }
      current!.send(encodeFrame(frame))
      const answer = await find<Extract<WorkerFrame, { type: 'result' | 'refused' }>>(
        (one) => (one.type === 'result' || one.type === 'refused') && one.id === id,
      )
      return { requestHash, assignmentHash, answer }
    },
    async close() {
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await store.close()
    },
  }
}
