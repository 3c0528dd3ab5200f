// Replaces the script of the sign-in form, and the page, in browsers in which those do not run. Nothing here
// is newer than 2009.
(function () {
  // The server's root is found from the address of this script's folder.
  var base = document.getElementsByTagName("script")[0].src.replace(/sign-in\/[^\/]*$/, "");
  var form = document.querySelector(".sign-in form");
  if (form) signIn(); else showPicture();

  function signIn() {
    var error = document.getElementById("error");
    form.onsubmit = function () {
      var request = new XMLHttpRequest();
      error.textContent = "";
      request.open("POST", base + "api/1.0/login");
      request.onreadystatechange = function () {
        if (request.readyState !== 4) return;
        if (request.status === 200) location.reload();
        else if (request.status === 401) error.textContent = "Wrong name or password.";
        else if (request.status === 429) error.textContent = "Too many failed attempts. Wait a while before the next one.";
        else error.textContent = "The server gave an unexpected answer. Try again.";
      };
      request.send(JSON.stringify({ user: form.elements.user.value, password: form.elements.password.value }));
      return false;
    };
  }

  function showPicture() {
    document.body.innerHTML = '<main class="plain"><h1><img src="sign-in/icon.svg" alt="" width="26" height="26">Defender</h1>' +
      "<p>This browser is too old for the page, or a part of the page did not load. It shows the " +
      "first camera only, without controls and settings. " +
      'Sound is at <a href="audio">/audio</a>.</p>' +
      '<p><img alt="Live picture of the first camera"></p></main>';
    var image = document.getElementsByTagName("img")[1];
    var load = function () { image.src = "video?at=" + new Date().getTime(); };
    image.onerror = function () { setTimeout(load, 5000); };
    load();
  }
})();
