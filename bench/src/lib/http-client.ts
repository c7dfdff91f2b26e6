import { Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface HttpAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/**
 * GETs over kept connections, at most `connections` of them. An answer other than 200 goes to `onFailure`:
 * its time counts as any other's.
 */
export function createHttpClient(
  url: string,
  connections: number,
  onFailure: (reason: string) => void,
): { get(): Promise<HttpAnswer>; close(): void } {
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
          if (status !== 200) onFailure(`${target.pathname} answered ${status}: ${body.slice(0, 200)}`)
          resolve({ status, headers: response.headers, body })
        })
      })
      sent.on('error', reject).end()
    })
  return { get, close: () => agent.destroy() }
}
