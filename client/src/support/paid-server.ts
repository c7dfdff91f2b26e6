import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { TestChain } from '@peerhost/contracts/testing'
import { type Hex, NETWORKS } from '@peerhost/protocol'
import { x402Facilitator } from '@x402/core/facilitator'
import { type HTTPRequestContext, x402HTTPResourceServer, x402ResourceServer } from '@x402/core/server'
import { toFacilitatorEvmSigner } from '@x402/evm'
import { ExactEvmScheme as ExactFacilitator } from '@x402/evm/exact/facilitator'
import { ExactEvmScheme as ExactServer } from '@x402/evm/exact/server'
import { createWalletClient, http, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

const NETWORK = `eip155:${NETWORKS.local.chainId}` as const

export interface PaidServer {
  url: string
  /** Atomic USDC; may change between requests. */
  price: string
  payTo: Hex
  /** Runs of the handler. */
  runs: number
  /** Requests seen, 402s included. */
  requests: IncomingMessage[]
  /** Payments seen, in order. */
  payments: string[]
  /** Called instead of the server for a request where it returns true. */
  intercept?: (req: IncomingMessage, res: ServerResponse) => boolean | Promise<boolean>
  /** Called when the answer is ready, after settlement; true: the connection is cut instead. */
  dropAnswer?: () => boolean
}

/** A server with the stock x402 server and facilitator classes, which settles on a real chain. It answers with the body that it got. */
export async function startPaidServer(t: TestContext, chain: TestChain, payTo: Hex): Promise<PaidServer> {
  const { privateKey } = await chain.account()
  const account = privateKeyToAccount(privateKey)
  const wallet = createWalletClient({ account, transport: http(chain.rpcUrl), pollingInterval: 20 }).extend(
    publicActions,
  )
  const signer = toFacilitatorEvmSigner({
    address: account.address,
    getCode: (args) => wallet.getCode(args),
    readContract: (args) => wallet.readContract(args as never),
    verifyTypedData: (args) => wallet.verifyTypedData(args as never),
    writeContract: (args) => wallet.writeContract({ ...args, chain: null } as never),
    sendTransaction: (args) => wallet.sendTransaction({ ...args, chain: null } as never),
    waitForTransactionReceipt: (args) => wallet.waitForTransactionReceipt(args),
  })
  const facilitator = new x402Facilitator().register(NETWORK, new ExactFacilitator(signer))
  const resources = new x402ResourceServer({
    verify: (payload, requirements) => facilitator.verify(payload, requirements),
    settle: (payload, requirements) => facilitator.settle(payload, requirements),
    getSupported: async () => facilitator.getSupported() as never,
  }).register(NETWORK, new ExactServer())
  const { usdc } = NETWORKS.local
  const state: PaidServer = { url: '', price: '1000', payTo, runs: 0, requests: [], payments: [] }
  const paid = new x402HTTPResourceServer(resources, {
    '/paid': {
      accepts: {
        scheme: 'exact',
        network: NETWORK,
        payTo: () => state.payTo,
        price: () => ({ amount: state.price, asset: usdc.address, extra: { name: usdc.name, version: usdc.version } }),
      },
    },
  })
  await paid.initialize()

  const server = createServer((req, res) => {
    handle(req, res).catch((error) => res.writeHead(500).end(String(error)))
  })
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    state.requests.push(req)
    const payment = req.headers['payment-signature']
    if (payment) state.payments.push(String(payment))
    if (await state.intercept?.(req, res)) return
    const result = await paid.processHTTPRequest(contextOf(req, state.url))
    if (result.type === 'payment-error') {
      const { status, headers, body } = result.response
      return void res.writeHead(status, headers).end(JSON.stringify(body ?? {}))
    }
    const body: Buffer[] = []
    for await (const part of req) body.push(part)
    state.runs++
    if (req.headers['x-fail']) return void res.writeHead(500).end('failed')
    if (result.type === 'payment-verified') {
      const settled = await paid.processSettlement(result.paymentPayload, result.paymentRequirements)
      for (const [name, value] of Object.entries(settled.headers)) res.setHeader(name, value)
      if (!settled.success) return void res.writeHead(402).end('{}')
    }
    if (state.dropAnswer?.()) return void req.socket.destroy()
    res.end(Buffer.concat(body))
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return state
}

function contextOf(req: IncomingMessage, base: string): HTTPRequestContext {
  const { pathname, href } = new URL(req.url ?? '/', base)
  const header = (name: string) => {
    const value = req.headers[name.toLowerCase()]
    return Array.isArray(value) ? value[0] : value
  }
  const method = req.method ?? 'GET'
  return {
    method,
    path: pathname,
    paymentHeader: header('payment-signature'),
    adapter: {
      getHeader: header,
      getMethod: () => method,
      getPath: () => pathname,
      getUrl: () => href,
      getAcceptHeader: () => header('accept') ?? '',
      getUserAgent: () => header('user-agent') ?? '',
    },
  }
}
