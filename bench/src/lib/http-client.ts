import { Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface HttpAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** GETs over kept connections, at most `connections` of them. Rejects where the status is not 200. */
export function createHttpClient(url: string, connections: number): { get(): Promise<HttpAnswer>; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const target = new URL(url)
  const options = { agent, host: target.hostname, port: target.port, path: target.pathname + target.search }
  const get = () =>
    new Promise<HttpAnswer>((resolve, reject) => {
      const sent = request(options, (response) => {
        let body = ''
        response.setEncoding('latin1')
        response.on('data', (text) => {
          body += text
        })
        response.on('error', reject)
        response.on('end', () => {
          const status = response.statusCode ?? 0
          if (status === 200) resolve({ status, headers: response.headers, body })
          else reject(new Error(`${url} answered ${status}: ${body.slice(0, 300)}`))
        })
      })
      sent.on('error', reject).end()
    })
  return { get, close: () => agent.destroy() }
}
