import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RpcProxy {
  url: string
  /** Called for each question: what is answered in place of the node, `cut` after it was asked, nothing to pass it on. */
  intercept: ((method: string, params: unknown[]) => { result: unknown } | 'cut' | undefined) | undefined
  close(): void
}

/** A node that can be made unreliable, in front of a real one. */
export async function startRpcProxy(target: string): Promise<RpcProxy> {
  const proxy: RpcProxy = { url: '', intercept: undefined, close: () => {} }
  const server = createServer(async (req, res) => {
    const parts: Buffer[] = []
    for await (const part of req) parts.push(part)
    const body = Buffer.concat(parts)
    const { id, method, params } = JSON.parse(body.toString())
    const fault = proxy.intercept?.(method, params)
    res.setHeader('content-type', 'application/json')
    if (typeof fault === 'object') return res.end(JSON.stringify({ jsonrpc: '2.0', id, result: fault.result }))
    const headers = { 'content-type': 'application/json' }
    const answer = await (await fetch(target, { method: 'POST', headers, body })).text()
    if (fault === 'cut') return req.socket.destroy()
    res.end(answer)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  proxy.close = () => {
    server.closeAllConnections()
    server.close()
  }
  return proxy
}
