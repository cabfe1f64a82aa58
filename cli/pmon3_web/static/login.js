// The form: what went wrong with the last token, and a token that came with the address.

const WRONG = {
  "#wrong": "This is no valid token: it is mistyped, has expired or was revoked.",
  "#wait": "Too many wrong tokens came from your address. Try again in a minute.",
};
const said = location.hash;
if (WRONG[said]) {
  const problem = document.getElementById("problem");
  problem.textContent = WRONG[said];
  problem.hidden = false;
} else if (said.length > 1) {
  // Out of the address before anything else, so that it stays in no history.
  history.replaceState(null, "", "/login");
  document.getElementById("token").value = said.slice(1);
  document.querySelector("form").submit();
}
