import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * `POST /webhook` with `x-signature: sha256=<hex HMAC-SHA256 of the raw body>`. A body that was parsed and written again would
 * not verify: the bytes are those that were sent.
 */
export const handler = async (event) => {
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8')
  const expected = `sha256=${createHmac('sha256', process.env.WEBHOOK_PUBLIC_KEY).update(body).digest('hex')}`
  const name = Object.keys(event.headers ?? {}).find((header) => header.toLowerCase() === 'x-signature')
  const given = Buffer.from(name ? event.headers[name] : '')
  if (given.length !== expected.length || !timingSafeEqual(given, Buffer.from(expected))) {
    return { statusCode: 401, body: JSON.stringify({ message: 'The signature does not match the body' }) }
  }
  return { statusCode: 200, body: JSON.stringify({ accepted: body.length }) }
}
