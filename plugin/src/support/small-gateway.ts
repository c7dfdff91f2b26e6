import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createRegistry } from '@peerhost/chain'
import type { TestChain } from '@peerhost/contracts/testing'
import { recoverPure, toPeerHostError, verifyAccess } from '@peerhost/protocol'
import { acceptUpload, createStore, trustlessGateway } from '@peerhost/storage'

/** A signed call of the owner that arrived. */
export interface OwnerCall {
  method: string
  target: string
  body: string
  address: string
}

export interface SmallGateway {
  url: string
  /** CIDs that were uploaded, in order. */
  uploads: string[]
  calls: OwnerCall[]
  /** What `/prove` answers for a function of that name. */
  differences: Map<string, string>
  /** What `/invoke` and `/logs` answer. */
  answer: { status: number; headers?: Record<string, string>; body: string }
  /** Answers uploads with this status instead, if set. */
  refuseUploads?: number
  /** Claims once that this version is the latest: the first look of a deploy is deceived, the later ones are not. */
  showVersion?: number
  stop(): Promise<void>
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts)
}

/** The part of a gateway that a deployer sees, over the real registry and store: /services, /ipfs, /invoke, /logs. It runs nothing. */
export async function startSmallGateway(chain: TestChain): Promise<SmallGateway> {
  const dir = mkdtempSync(path.join(tmpdir(), 'peerhost-gateway-'))
  const store = createStore({ driver: 'embedded', path: dir })
  const serveIpfs = trustlessGateway(store)
  const registry = await createRegistry({ provider: chain.provider, contracts: chain.contracts, finality: 'latest' })
  const domain = { chainId: 84532, verifyingContract: chain.contracts.ExecutionCoordinator }

  const server = createServer(async (request, response) => {
    const send = (status: number, body: string, headers = {}) =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
    const { method = '', url = '' } = request
    try {
      const target = new URL(url, 'http://gateway')
      if (target.pathname === '/services') {
        await registry.sync()
        const owner = target.searchParams.get('owner')
        const services = registry
          .all()
          .filter((one) => one.owner === owner && one.project === target.searchParams.get('project'))
        const version = gateway.showVersion
        gateway.showVersion = undefined
        const claimed = services.map((one) => (version && registry.service(one.serviceId, version)) || one)
        const shown = claimed.map(({ owner, project, function: name, version, spec }) => {
          return {
            owner,
            project,
            function: name,
            version,
            price: spec.price.toString(),
            codeDigest: spec.codeDigest,
            manifestDigest: spec.manifestDigest,
          }
        })
        return send(200, JSON.stringify({ services: shown }))
      }
      if (method !== 'POST' && target.pathname.startsWith('/ipfs/')) return await serveIpfs(request, response)
      const body = await readAll(request)
      const header = request.headers['peerhost-auth'] as string | undefined
      const address = verifyAccess(header, { domain, method, target: url, body, now: Date.now() / 1000 }, recoverPure)
      if (target.pathname === '/ipfs') {
        if (gateway.refuseUploads)
          return send(
            gateway.refuseUploads,
            JSON.stringify({ code: 'PH_STORE_REFUSED', message: 'The disk is full', hint: '' }),
          )
        const result = await acceptUpload(store, body)
        gateway.uploads.push(result.cid)
        return send(200, JSON.stringify(result))
      }
      if (target.pathname === '/prove') {
        const { definition } = JSON.parse(body.toString())
        const difference = gateway.differences.get(definition.name)
        return send(200, JSON.stringify({ deterministic: difference === undefined, difference }))
      }
      gateway.calls.push({ method, target: url, body: body.toString(), address })
      send(gateway.answer.status, gateway.answer.body, gateway.answer.headers)
    } catch (error) {
      const known = toPeerHostError(error)
      send(known.status, JSON.stringify(known))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const gateway: SmallGateway = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    uploads: [],
    calls: [],
    differences: new Map(),
    answer: { status: 200, body: 'null' },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await registry.stop()
      await store.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  return gateway
}
