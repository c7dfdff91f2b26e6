'use strict'
// From a Lambda handler's result to the answer, by payload format (API Gateway's "Lambda proxy integration").
const { MalformedResponse } = require('./errors.cjs')
const { ResponseFields, checkStatus } = require('./response-fields.cjs')

const JSON_TYPE = 'application/json'
const TEXT_TYPE = 'text/plain;charset=UTF-8'
const toBuffer = Buffer.from
const { stringify, parse } = JSON
const noBytes = Buffer.alloc(0)

/** @returns {Buffer} */
function bodyBytes({ body, isBase64Encoded }) {
  if (body === null || body === undefined) return noBytes
  if (typeof body === 'number' || typeof body === 'boolean') return toBuffer(String(body))
  if (typeof body !== 'string')
    throw new MalformedResponse('The body must be a string: use JSON.stringify, or base64 with isBase64Encoded')
  return toBuffer(body, isBase64Encoded ? 'base64' : 'utf8')
}

/** Lambda hands results on as JSON: an object that says how it is written is taken at its word. */
const asWritten = (result) => (typeof result?.toJSON === 'function' ? parse(stringify(result)) : result)

/** @param {'http' | 'httpApi'} kind decides the type of an answer that names none */
function encodeV1(value, kind) {
  const result = asWritten(value)
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    throw new MalformedResponse('The function must answer with an object {statusCode, headers, body}')
  }
  const httpStatus = checkStatus(result.statusCode)
  const fields = new ResponseFields().addAll(result.multiValueHeaders).addMissing(result.headers)
  fields.addDefaultType(kind === 'http' ? JSON_TYPE : TEXT_TYPE, httpStatus)
  return { httpStatus, headers: fields.list, body: bodyBytes(result) }
}

/** Without statusCode the whole result is the body. */
function inferred(result) {
  const body = typeof result === 'string' ? result : (stringify(result) ?? 'null')
  return { httpStatus: 200, headers: [['content-type', JSON_TYPE]], body: toBuffer(body) }
}

function encodeV2(value) {
  const result = asWritten(value)
  const isStructured =
    typeof result === 'object' && result !== null && !Array.isArray(result) && result.statusCode !== undefined
  return isStructured ? structured(result) : inferred(result)
}

function structured(result) {
  const httpStatus = checkStatus(result.statusCode)
  const fields = new ResponseFields().addAll(result.multiValueHeaders).addMissing(result.headers)
  if (result.cookies !== null && result.cookies !== undefined) {
    if (!Array.isArray(result.cookies)) throw new MalformedResponse('cookies must be an array')
    fields.add('set-cookie', result.cookies)
  }
  fields.addDefaultType(TEXT_TYPE, httpStatus)
  return { httpStatus, headers: fields.list, body: bodyBytes(result) }
}

/** @returns {Buffer} a raw event's result as JSON */
const encodeOutput = (result) => toBuffer(stringify(result) ?? 'null')

/** @param {{kind: 'http' | 'httpApi', payload: '1.0' | '2.0'} | null} route null: the function was called itself */
const encodeResponse = (result, route) => (route?.payload === '1.0' ? encodeV1(result, route.kind) : encodeV2(result))

module.exports = { encodeResponse, encodeOutput, bodyBytes, structured, JSON_TYPE, TEXT_TYPE }
