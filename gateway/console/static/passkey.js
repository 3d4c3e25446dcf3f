// Asks the browser for a passkey and puts its answer into the form. Without it the page says that it is needed.
'use strict'

const form = document.querySelector('form[data-passkey]')
const told = document.getElementById('passkey-told')
const ask = { get: askFor, create: make }

async function askFor(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options)
  return navigator.credentials.get({ publicKey })
}

async function make(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options)
  return navigator.credentials.create({ publicKey })
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const button = form.querySelector('button')
  button.disabled = true
  told.textContent = ''
  try {
    const credential = await ask[form.dataset.passkey](JSON.parse(form.dataset.options))
    form.elements.credential.value = JSON.stringify(credential.toJSON())
    form.submit()
  } catch {
    told.textContent = 'That did not work. Try again.'
    button.disabled = false
  }
})
