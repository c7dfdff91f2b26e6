import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { catalogue } from './catalogue.ts'

/** Per cent off from a number of pieces on. */
const discountOf = (pieces: number): number => (pieces >= 100 ? 12 : pieces >= 12 ? 5 : 0)

const answer = (statusCode: number, body: unknown): APIGatewayProxyStructuredResultV2 => ({
  statusCode,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/** `GET /quote/{sku}?pieces=12`: what that many cost today. Whoever asks pays; an answer of 400 and above costs nothing. */
export const handler = async (event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> => {
  const product = catalogue.get(event.pathParameters?.sku ?? '')
  if (!product) return answer(404, { message: 'No such product' })
  const pieces = Number(event.queryStringParameters?.pieces ?? 1)
  if (!Number.isInteger(pieces) || pieces < 1 || pieces > 10_000)
    return answer(400, { message: 'pieces is a number from 1 to 10000' })
  const discount = discountOf(pieces)
  const cents = Math.round(product.cents * pieces * (1 - discount / 100))
  return answer(200, { sku: product.sku, pieces, discount, cents, day: new Date().toISOString().slice(0, 10) })
}
