Feature: Reauthenticating
  The user goes through the authorisation code flow again. It is a new flow: a fresh state, a fresh verifier, a code that
  is exchanged once, a new pair of tokens that replaces the old one.

  @REAUTH-01 @must @error
  Rule: The authorise request is well-formed

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject sends the user to the authorise endpoint with a well-formed request (REAUTH-01)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @REAUTH-02 @should @error
  Rule: The required scopes are asked for again

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject asks for the scopes of the first authorisation (REAUTH-02)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @REAUTH-03 @must @error
  Rule: Every attempt has a fresh, unguessable state and a fresh verifier

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no state and no challenge is used twice, and none can be guessed (REAUTH-03)

      Examples:
        | story       | what happens                              |
        | five_logins | The user begins to log in again and again |

  @REAUTH-04 @must @error
  Rule: The code is exchanged once, with the verifier

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject exchanges the code once, with its verifier (REAUTH-04)

      Examples:
        | story                       | what happens                                       |
        | denied_then_granted         | The user denies, thinks better of it, and consents |
        | reconnected_while_connected | The user reconnects though all is well             |
        | user_revokes_access         | The user revokes access                            |

  @REAUTH-05 @must @error
  Rule: A callback with a state that was never issued is refused

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject does not exchange the code of the forged callback (REAUTH-05)

      Examples:
        | story              | what happens                                      |
        | callback_is_forged | Callbacks arrive that the subject did not ask for |

  @REAUTH-06 @must @error
  Rule: A login that the user denies or abandons changes nothing

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the connection stands as before, nothing is lost, and the next login succeeds (REAUTH-06)

      Examples:
        | story                 | what happens                                       |
        | denied_then_granted   | The user denies, thinks better of it, and consents |
        | user_abandons_consent | The user sets out to reconnect and walks away      |
        | user_denies_consent   | The user sets out to reconnect and denies          |

  @REAUTH-07 @must @error
  Rule: A failed exchange does not overwrite what is stored

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the tokens that were stored before the failed exchange are used on (REAUTH-07)

      Examples:
        | story                           | what happens                                         |
        | exchange_answers_without_tokens | A new login fails: 200, and no tokens in the answer  |
        | exchange_is_dropped             | A new login fails: the connection is closed          |
        | exchange_is_refused             | A new login fails: Pleo refuses the code             |
        | exchange_meets_an_outage        | A new login fails: the token endpoint is unavailable |

  @REAUTH-08 @should @error
  Rule: The new pair is stored and used at once

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject works with the new tokens at once, and still after a restart (REAUTH-08)

      Examples:
        | story                      | what happens                                            |
        | reconnected_then_restarted | The user reconnects, and the subject is restarted later |

  @REAUTH-09 @should @warning
  Rule: The user is brought back to where they were

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the user is at the place where the login began (REAUTH-09)

      Examples:
        | story               | what happens                                       |
        | denied_then_granted | The user denies, thinks better of it, and consents |

  @REAUTH-10 @should @warning
  Rule: Another company's grant is not grafted onto the connection

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the connection does not silently go on with the other company's work (REAUTH-10)

      Examples:
        | story                    | what happens                            |
        | another_company_consents | The user comes back for another company |

  @REAUTH-11 @must @error
  Rule: The same connection is renewed

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then there are as many connections as before (REAUTH-11)

      Examples:
        | story                       | what happens                           |
        | reconnected_while_connected | The user reconnects though all is well |
        | user_revokes_access         | The user revokes access                |

  @REAUTH-12 @should @warning
  Rule: The way back is short

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then at most three actions lead from the prompt to the consent page (REAUTH-12)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |
